//! What a process has used, as the kernel counts it.

use std::fs;
use std::io;
use std::time::Duration;

use crate::Error;

/// The CPU time of a process, of all its threads, in user mode and in the kernel. It counts in ticks of usually 10 ms.
pub fn cpu_time(process: u32) -> Result<Duration, Error> {
    let stat = read(process, "stat")?;
    // The second field is the program's name in parentheses and may hold anything; the third follows the last of them.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum::<u64>();
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// The most memory that a process has had resident, in bytes.
pub fn peak_memory(process: u32) -> Result<u64, Error> {
    let status = read(process, "status")?;
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    let missing = || Error::Process {
        doing: "finding the memory of",
        source: io::ErrorKind::InvalidData.into(),
    };
    kib.map(|kib| kib << 10).ok_or_else(missing)
}

fn read(process: u32, file: &str) -> Result<String, Error> {
    fs::read_to_string(format!("/proc/{process}/{file}")).map_err(|source| Error::Process {
        doing: "asking the kernel about",
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_takes_time_and_memory() {
        let this = std::process::id();
        let started = Instant::now();
        let mut work = vec![1_u8; 1 << 20];
        while cpu_time(this).unwrap() < Duration::from_millis(30) {
            for byte in &mut work {
                *byte = byte.wrapping_mul(3);
            }
            assert!(started.elapsed() < Duration::from_secs(10), "no time is counted");
        }
        assert!(peak_memory(this).unwrap() > 1 << 20);
    }
}
