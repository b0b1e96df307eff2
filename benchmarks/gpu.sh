#!/usr/bin/env bash
# Gradients and Gram matrices on a GPU beside PyTorch's: one table.
#
#   benchmarks/gpu.sh PROGRAM DATA [BACKEND [DEVICE]]
#
# PROGRAM is a built gradspectra, DATA the folder of MNIST and CIFAR-10, BACKEND cuda (the default), wgpu or flex, DEVICE an
# index. Needs no network and no cargo. PyTorch's columns need PYTHON (python3 without it) with torch. Each time is that of
# the second of two runs in one process, so that no kernel is compiled in it. LENET_T, RESNET_T, RESNET_B and RESNET_WIDTH
# make it smaller.
set -euo pipefail
if (($# < 2)); then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
fi
program=$(realpath "$1") data=$(realpath "$2") backend=${3:-cuda} device=${4:-}
here=$(realpath "$(dirname "$0")")
export LENET_T=${LENET_T:-5000} RESNET_T=${RESNET_T:-200} RESNET_B=${RESNET_B:-100} RESNET_WIDTH=${RESNET_WIDTH:-64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/gpu.toml" <<TOML
title = "Gradients and Gram matrices"

[[row]]
id = "lenet"
data-set = "mnist"
model = { kind = "lenet" }
batch-size = 1
iterations = $LENET_T
analysis = { kind = "spectrum", matrix = "covariance", top = $((LENET_T / 5)) }

[[row]]
id = "resnet18"
data-set = "cifar-10"
model = { kind = "resnet18", width = $RESNET_WIDTH }
batch-size = $RESNET_B
iterations = $RESNET_T
analysis = { kind = "spectrum", matrix = "covariance", top = $((RESNET_T / 5)) }
TOML

# Seconds of the gradients and the Gram matrix of a row, `-` where it did not run.
ours() {
    local timings="$work/out/gpu/$1/seed-2.timings.json"
    "$program" run "$work/gpu.toml" --rows "$1" --seeds 2 --quiet --out "$work/out" --data-dir "$data" \
        --backend "$backend" ${device:+--device "$device"} >/dev/null || true
    [[ -f $timings ]] || { echo -; return; }
    awk -F'[:,]' '/"(examples|gradients)"/ { sum += $2 } END { printf "%.3f\n", sum }' "$timings"
}

# Seconds of the same in PyTorch, eager or compiled, `-` without torch.
peer() {
    "${PYTHON:-python3}" "$here/torch_peer.py" "$1" "$2" "$([[ $backend == flex ]] && echo cpu || echo cuda)" || echo -
}

printf '%-28s %10s %14s %18s\n' "seconds, $backend" ours 'PyTorch eager' 'PyTorch compiled'
printf '%-28s %10s %14s %18s\n' "LeNet, B = 1, T = $LENET_T" "$(ours lenet)" "$(peer lenet eager)" "$(peer lenet compiled)"
printf '%-28s %10s %14s %18s\n' "ResNet18, B = $RESNET_B, T = $RESNET_T" \
    "$(ours resnet18)" "$(peer resnet18 eager)" "$(peer resnet18 compiled)"
name=$(sed -n '/"device"/,/}/s/.*"name": "\(.*\)".*/\1/p' "$work"/out/gpu/*/seed-2.json 2>/dev/null | head -n 1)
echo "device: ${name:-CPU}"
