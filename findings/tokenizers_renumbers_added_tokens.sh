#!/bin/bash
# Expected: an added token has the id that `tokenizer.json` states for it, or the file is refused.
# Happens:  the ids of `added_tokens` are passed over without a word: on loading they are counted again from the end of the
#           vocabulary. A `[SEG]` of id 10 becomes 8 where two tokens before it were taken out of the file by hand.
# Versions: tokenizers 0.22.2 and 0.23.3 with transformers 4.57.6 and 5.23.0; Linux, Python 3.11.
# Matters:  the rows of the embedding do not move with it. Whoever takes unused tokens out of a tokenizer, or leaves a gap for rows
#           that were padded, gives `[SEG]` the row of another token: the model loads, answers, and never finds a mask.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ids.py" <<'PY'
import json
import sys
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoTokenizer

folder = Path(sys.argv[1])
whole = Tokenizer(WordLevel({"[UNK]": 0, "vessel": 1, "tree": 2}, unk_token="[UNK]"))
whole.add_special_tokens(["<img>", "</img>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "[SEG]"])
document = json.loads(whole.to_str())
document["added_tokens"] = [token for token in document["added_tokens"] if "quad" not in token["content"]]
stated = {token["content"]: token["id"] for token in document["added_tokens"]}
(folder / "tokenizer.json").write_text(json.dumps(document))
(folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
fast = AutoTokenizer.from_pretrained(folder)
print(f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}")
print(f"[SEG]: {stated['[SEG]']} in the file, {loaded.token_to_id('[SEG]')} in tokenizers, {fast.convert_tokens_to_ids('[SEG]')} in AutoTokenizer")
PY
for environment in old new; do
  "${PYTHON:-python3.11}" -m venv "$folder/$environment"
  mkdir "$folder/model-$environment"
done
"$folder/old/bin/pip" install --quiet tokenizers==0.22.2 transformers==4.57.6
"$folder/new/bin/pip" install --quiet tokenizers==0.23.3 transformers==5.23.0
for environment in old new; do
  HF_HUB_OFFLINE=1 "$folder/$environment/bin/python" "$folder/ids.py" "$folder/model-$environment" 2> "$folder/errors" |
    tee -a "$folder/seen" || { cat "$folder/errors"; exit 1; }
done
diff - "$folder/seen" <<'EXPECTED'
tokenizers 0.22.2, transformers 4.57.6
[SEG]: 10 in the file, 8 in tokenizers, 8 in AutoTokenizer
tokenizers 0.23.3, transformers 5.23.0
[SEG]: 10 in the file, 8 in tokenizers, 8 in AutoTokenizer
EXPECTED
echo "as seen before"
