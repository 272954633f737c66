#!/bin/sh
# make_venv.sh FOLDER [PYTHON]: makes a virtual environment with PYTHON or, where none is named, with the newest
# supported Python that works. One that is there stays, whatever newer Python appears beside it.
set -eu
folder=$1
named=${2-}
supported="Python 3.11 to 3.14, 3.14.1 excepted"

stop() {
  echo "make: $1" >&2
  exit 2
}

# about PYTHON MODULE...: prints "fits VERSION", "other VERSION" where that version is not supported, "lacks VERSION" where a
# module is missing, and nothing where the Python does not start, such as a shim of pyenv without a version behind it.
about() {
  python=$1
  shift
  "$python" -I -c '
import sys
version, state = sys.version_info, "fits"
if not (3, 11) <= version[:2] <= (3, 14) or version[:3] == (3, 14, 1):
    state = "other"
else:
    from importlib.util import find_spec
    if not all(map(find_spec, sys.argv[1:])):
        state = "lacks"
print("%s %d.%d.%d" % ((state,) + tuple(version[:3])))
' "$@" 2>/dev/null || true
}
minor() { echo "${1%.*}"; }

if [ -e "$folder" ] || [ -L "$folder" ]; then
  again="Remove it (rm -r $folder) and give the same command again"
  set -- $(about "$folder/bin/python" pip)
  case ${1-} in
    fits) ;;
    lacks) stop "the environment $folder has no pip: its set-up was cut. $again" ;;
    other) stop "the environment $folder has Python $2; vesselkit needs $supported. $again" ;;
    *) stop "the Python of the environment $folder does not start, as after an upgrade of the system. $again" ;;
  esac
  if [ -n "$named" ]; then
    there=$2
    set -- $(about "$named")
    [ $# -eq 2 ] || stop "PYTHON=$named does not start"
    [ "$(minor "$2")" = "$(minor "$there")" ] ||
      stop "PYTHON=$named is Python $2, and the environment $folder has $there. $again, or name another folder: make VENV=.venv-$(minor "$2") ..."
  fi
  exit 0
fi

if [ -n "$named" ]; then set -- "$named"; else set -- python3.14 python3.13 python3.12 python3.11 python3; fi
looked=$*
lacking= others=
for candidate; do
  set -- $(about "$candidate" venv ensurepip)
  case ${1-} in
    fits)
      echo "setting up $folder with $candidate (Python $2)${lacking:+; $lacking lacks venv and was passed over}: once, some minutes"
      exec "$candidate" -m venv "$folder"
      ;;
    lacks) [ -n "$lacking" ] || { lacking=$candidate version=$2; } ;;
    other) others="$others; $candidate is Python $2" ;;
    *) [ -z "$named" ] || stop "PYTHON=$named does not start" ;;
  esac
done
[ -z "$lacking" ] ||
  stop "$lacking (Python $version) lacks venv. Install it, on Debian and Ubuntu with: sudo apt install python$(minor "$version")-venv"
[ -z "$named" ] || stop "PYTHON=$named is Python ${others##* }; vesselkit needs $supported"
stop "vesselkit needs $supported, looked for as: $looked$others.
make: Install one, on Debian 12, Ubuntu 24.04 or later with: sudo apt install python3 python3-venv
make: Or name one that lies elsewhere: make PYTHON=FOLDER/bin/python3 ..."
