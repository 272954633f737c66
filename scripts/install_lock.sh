#!/bin/sh
# install_lock.sh FOLDER LOCK: installs into an environment what it lacks of a lock, with pip's own lines and bars.
set -eu
folder=$1
lock=$2
pip=$folder/bin/pip

# A bare Debian lacks the desktop's libraries that mmengine's OpenCV wants; the build without windows loads there too.
let_opencv_load() {
  opencv=$(sed -n 's/^opencv-python==//p' "$lock")
  [ -z "$opencv" ] || "$folder"/bin/python -c 'import cv2' 2>/dev/null ||
    "$pip" install --no-deps --force-reinstall "opencv-python-headless==$opencv"
}

count() { find "$folder"/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l | tr -d ' '; }

# Of what is there already pip would write a line for each package.
lacking=$(mktemp)
there=$(mktemp)
beat=
trap '[ -z "$beat" ] || kill "$beat" 2>/dev/null || true; rm -f "$lacking" "$there"' EXIT
"$pip" freeze --all --exclude-editable >"$there" 2>/dev/null
grep -v '^#' "$lock" | grep -vxF -f "$there" >"$lacking" || true
wanted=$(wc -l <"$lacking" | tr -d ' ')
[ "$wanted" -gt 0 ] || { echo "all pinned packages are there"; let_opencv_load; exit 0; }
echo "installing $wanted pinned packages: pip downloads first, then unpacks"

# pip before 25.1 says nothing while it unpacks, which takes a minute.
case $("$pip" --version) in
  "pip 2"[0-4].* | "pip 25.0"*)
    before=$(count)
    while sleep 8 >/dev/null 2>&1; do
      now=$(count)
      [ "$now" -le "$before" ] || echo "unpacking: $((now - before)) of about $wanted packages are in place"
    done &
    beat=$!
    ;;
esac
# shellcheck disable=SC2046 # one word a package
"$pip" install --no-compile --constraint "$lock" $(cat "$lacking")
# pip would compile on one core, the packages' own tests too: more than a minute. What fails to compile is not imported.
echo "compiling what was installed"
"$folder"/bin/python -m compileall -q -j 0 -x 'site-packages/.*/tests/' "$folder"/lib/python3*/site-packages >/dev/null 2>&1 || true
let_opencv_load
