#!/bin/sh
# Everything that only a GPU shows, within eight minutes: benchmarks/on_gpu.sh [OUT] [SIZE]
#
# OUT gets the log of each part, and figures.json with all figures; the last lines are a table of the
# parts: seconds, and whether they ended well. SIZE=tiny runs the same parts small, also on a CPU.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${1:-outputs/on_gpu}
size=${2:-full}
python=${PYTHON:-python}
mkdir -p "$out"
: > "$out/parts.txt"

if $python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    device=cuda trainer=gpu patience=1
else
    device=cpu trainer=cpu patience=5
fi
if [ "$size" = full ]; then
    work="--prompt 1000 --completion 200 --group 8" one="--prompts 4" steps=20
else
    work="--prompt 60 --completion 8 --group 2" one="--prompts 1" steps=2
fi

# part NAME SECONDS COMMAND...: runs it, at most that long on a GPU, and notes how it ended.
part() {
    name=$1 limit=$(($2 * patience))
    shift 2
    start=$(date +%s)
    timeout "$limit" "$@" > "$out/$name.log" 2>&1
    status=$?
    echo "$name $(($(date +%s) - start)) $status" >> "$out/parts.txt"
    [ $status = 0 ] || tail -n 3 "$out/$name.log"
}

kept="--history $out/history.jsonl"
part doctor 30 $python -m groundrl.doctor
part paths 90 $python benchmarks/gpu_paths.py --size "$size" --device $device $work $one $kept \
    --out "$out/paths.json"
part step 150 $python benchmarks/grpo_step.py --size "$size" --device $device $work $one $kept \
    --out "$out/step.json"
part qlora 45 $python train.py adapter=qlora trainer=$trainer debug=tiny output_dir="$out/qlora"
part tower 45 $python train.py adapter.vision=lora trainer=$trainer debug=tiny output_dir="$out/tower"
part pretrain 120 $python train.py 'pipeline=[pretrain]' trainer=$trainer stage.pretrain.steps=$steps \
    stage.pretrain.module.tower_steps=$((steps / 2)) stage.pretrain.module.naming_steps=$((steps / 2)) \
    stage.pretrain.module.reading_steps=0 output_dir="$out/pretrain"

$python - "$out" <<'EOF'
import json
import sys
from pathlib import Path

out = Path(sys.argv[1])
parts = [line.split() for line in (out / "parts.txt").read_text().splitlines()]
figures = {file.stem: json.loads(file.read_text()) for file in (out / "paths.json", out / "step.json") if file.exists()}
ended = {name: {"seconds": int(seconds), "status": int(status)} for name, seconds, status in parts}
(out / "figures.json").write_text(json.dumps({"parts": ended, **figures}, indent=1) + "\n")
print(f"{'part':10} seconds  ended")
for name, one in ended.items():
    print(f"{name:10} {one['seconds']:7}  {'well' if one['status'] == 0 else 'badly, ' + str(out / name) + '.log'}")
sys.exit(any(one["status"] for one in ended.values()))
EOF
