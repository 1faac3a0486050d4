//! The numbered lines that containers of the zoo write, found again in whatever a sidecar makes of them.

/// Lines that a container writes to each of its files.
pub const WRITTEN: u64 = 20;

/// What every line of a container's file holds after its number. `index` is the file's among those of the container.
pub fn mark(namespace: &str, container: &str, index: usize) -> String {
    format!("{namespace}.{container}.{index}")
}

/// The numbers of the lines with this mark: raw, behind their file's name in brackets, or in the message of a JSON record, several of
/// which may be joined.
pub fn numbers(printed: &str, mark: &str) -> Vec<u64> {
    printed
        .replace("\\n", "\n")
        .split(['\n', '"', ']'])
        .filter_map(|piece| {
            let (number, found) = piece.trim().split_once(": ")?;
            (found == mark).then(|| number.parse().ok())?
        })
        .collect()
}

/// How many lines with this mark the container says that it wrote: the directory may be none that it can write.
pub fn said(printed: &str, mark: &str) -> u64 {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("wrote "));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, marked)| *marked == mark)
        .filter_map(|(count, _)| count.parse::<u64>().ok())
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_in_every_format() {
        let printed = "0: zoo.app.0\n\
                       [/logs/a.log] 1: zoo.app.0\n\
                       {\"message\":\"2: zoo.app.0\",\"file\":\"/logs/a.log\"}\n\
                       {\"message\":\"3: zoo.app.0\\n4: zoo.app.0\"}\n\
                       5: zoo.app.1\n";
        assert_eq!(numbers(printed, &mark("zoo", "app", 0)), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(printed, &mark("zoo", "app", 1)), [5]);
    }

    #[test]
    fn a_container_says_what_it_could_write() {
        let printed = "wrote 20 zoo.app.0\nwrote 0 zoo.app.1\n";
        assert_eq!(said(printed, "zoo.app.0"), 20);
        assert_eq!(said(printed, "zoo.app.1"), 0);
        assert_eq!(said(printed, "zoo.app.2"), 0);
    }
}
