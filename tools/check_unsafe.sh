#!/usr/bin/env bash
# Run the tests of what is unsafe under what sees its mistakes (docs/design/unsafe.md), outside of CI:
#
#   tools/check_unsafe.sh [miri|address|arm]...     all three, if none is named
#
# miri     as x86-64 with AVX-512 and as aarch64, whatever this machine is   (rustup toolchain install nightly;
#          rustup component add --toolchain nightly miri rust-src)
# address  every test of crates/bpe and crates/kernels, on this machine's instructions
# arm      splitting and encoding in an emulated processor                   (rustup target add aarch64-unknown-linux-gnu;
#          Debian: apt-get install gcc-aarch64-linux-gnu qemu-user)
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/unsafe}

# The modules that are unsafe, and those that rest on them.
filters=(prefetch:: split:: decode:: encode::cache:: encode::pretokens:: merge::boundaries:: pool:: vector:: level:: arithmetic:: huge::)
wide=-Ctarget-feature=+avx2,+avx512f,+avx512bw,+avx512dq,+avx512vl,+bmi1,+bmi2,+lzcnt,+popcnt

check_miri() {
    # The clock and the environment are real ones, for proptest, which under Miri draws few cases.
    export MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4
    RUSTFLAGS=$wide cargo +nightly miri test --locked -p homespun-bpe --lib \
        --target x86_64-unknown-linux-gnu -- "${filters[@]}"
    cargo +nightly miri test --locked -p homespun-bpe --lib --target aarch64-unknown-linux-gnu -- split::
    RUSTFLAGS=-Ctarget-feature=+avx2,+fma cargo +nightly miri test --locked -p homespun-kernels --lib \
        --target x86_64-unknown-linux-gnu -- "${filters[@]}"
}

check_address() {
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test --locked -p homespun-bpe -p homespun-kernels --lib --tests \
        --target x86_64-unknown-linux-gnu
}

check_arm() {
    # Not the tests of training: qemu keeps memory for every thread that has ended.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    cargo test --locked -p homespun-bpe --target aarch64-unknown-linux-gnu --lib -- "${filters[@]}"
    cargo test --locked -p homespun-bpe --target aarch64-unknown-linux-gnu --test split --test encode --test fuzz_corpus
}

(($#)) || set -- miri address arm
for check in "$@"; do
    case $check in
    miri | address | arm) "check_$check" ;;
    *) echo "$0: miri, address or arm, not $check" >&2 && exit 2 ;;
    esac
done
