# shellcheck shell=bash
# shellcheck disable=SC2034  # who sources this uses `features`
# Sourced by every script that calls cargo; `root` is the folder of the repository.

# cargo of a fresh rustup is there before the shell that installed it knows.
if ! command -v cargo >/dev/null 2>&1; then
    PATH="$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin"
fi
# Either of these makes cargo ignore the flags in .cargo/config.toml, without which the binary finds no libtorch.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
# Features of cargo whose libraries scripts/bootstrap found, to be passed on as ${features:+--features "$features"}.
features=
if [ -f "${root:?}/.venv/rlrun-setup/features" ]; then
    IFS= read -r features <"$root/.venv/rlrun-setup/features" || true
fi
# scripts/bootstrap leaves a name here where the pinned toolchain could not be had.
if [ -z "${RUSTUP_TOOLCHAIN-}" ] && [ -f "$root/.venv/rlrun-setup/toolchain" ]; then
    IFS= read -r RUSTUP_TOOLCHAIN <"$root/.venv/rlrun-setup/toolchain"
    export RUSTUP_TOOLCHAIN
fi
