//! A clock on the wall that jumps, by years and at every look, put under a process by the linker.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every look at the time of day is off by something else, up to thirty years.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static unsigned long n;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) {
        n = n * 6364136223846793005UL + 1442695040888963407UL;
        now->tv_sec += (long)(n >> 33) % 1000000000L - 500000000L;
    }
    return result;
}
"#;

/// Such a clock, compiled.
pub(super) struct Jumps(PathBuf);

impl Jumps {
    /// None where there is no C compiler, said aloud.
    pub(super) fn compile(dir: &Path) -> Option<Self> {
        let library = dir.join("jumps.so");
        let source = dir.join("jumps.c");
        std::fs::write(&source, SOURCE).expect("the folder is writable");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
        compiler.arg(&source).arg("-ldl").stderr(Stdio::null());
        if compiler.status().is_ok_and(|status| status.success()) {
            return Some(Self(library));
        }
        super::say("SKIPPED: no clock jumps without a C compiler for Linux");
        None
    }

    /// Puts the clock under a process that is to be started.
    pub(super) fn apply_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.0);
    }
}
