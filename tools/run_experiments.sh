#!/usr/bin/env bash
# Every named experiment at one scale, its figures into docs/experiments. Finished runs are kept: the same command resumes.
#
#   tools/run_experiments.sh cpu 2        scale, runs at a time
#
# Texts of the scale "cpu": the first 10 MB of TinyStories for training and 1 MB for validation, in data/tinystories-head
# (made from the downloaded corpus if absent), and any English of a hundred megabytes in data/english/train.txt and
# valid.txt; without it the plans on English are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
scale=${1:-cpu} workers=${2:-2} homespun=.venv/bin/homespun
out=docs/experiments
[ "$scale" = cpu ] || out=runs/experiments-$scale/figures

if [ "$scale" = cpu ] && [ ! -f data/tinystories-head/train.txt ]; then
    for split in train valid; do
        name=tinystories$([ $split = train ] || echo -valid)
        $homespun corpus get "$name" --out "data/tinystories/TinyStoriesV2-GPT4-$split.txt"
        $homespun corpus head "data/tinystories/TinyStoriesV2-GPT4-$split.txt" "data/tinystories-head/$split.txt" \
            --bytes "$([ $split = train ] && echo 10MB || echo 1MB)"
    done
fi

for plan in recipes/experiments/*.yaml; do
    name=$(basename "$plan" .yaml)
    if [ "$scale" = cpu ] && grep -q '^base: base/english.yaml' "$plan" && [ ! -f data/english/train.txt ]; then
        echo "$name: left out, as there is no data/english/train.txt" >&2
        continue
    fi
    $homespun sweep "$plan" --scale "$scale" --workers "$workers" --runs "runs/experiments-$scale/runs" \
        --out "runs/experiments-$scale/$name" --publish "$out"
done

# What is no sweep: seconds each, but for the samples, which take ten minutes.
measure() { "$homespun" experiment "$@" --scale "$scale" --out "$out"; }
measure sgd-toy
"$homespun" demo
measure sampling --run runs/demo
measure scaling-law --sweep "runs/experiments-$scale/scaling-law"
texts=()
for corpus in tinystories english; do
    folder=data/$corpus
    [ "$corpus" = tinystories ] && [ "$scale" = cpu ] && folder=data/tinystories-head
    [ -f "$folder/train.txt" ] && texts+=("--$corpus" "$folder/train.txt" "$folder/valid.txt")
done
if [ "$scale" = smoke ] || [ ${#texts[@]} = 6 ]; then
    [ "$scale" = smoke ] && texts=()
    measure tokenizers "${texts[@]}"
    measure corpora "${texts[@]}"
else
    echo "tokenizers, corpora: left out, as there is no data/english/train.txt" >&2
fi

# The handbook's tables are those of the files just written.
[ "$scale" = cpu ] && .venv/bin/python tools/handbook_figures.py
