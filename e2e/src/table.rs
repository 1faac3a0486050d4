//! Plain tables for a terminal.

/// A table with columns as wide as their widest cell; numbers stand right.
pub fn draw(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = line(
        &header.iter().map(ToString::to_string).collect::<Vec<_>>(),
        &widths,
    );
    for row in rows {
        text.push_str(&line(row, &widths));
    }
    text
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).map(|(cell, &width)| {
        let number = !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit());
        if number {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
    });
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_align() {
        let table = super::draw(
            &["POD", "LOST"],
            &[vec!["counter".into(), "0".into()], vec!["a".into(), "12".into()]],
        );
        assert_eq!(table, "POD      LOST\ncounter     0\na          12\n");
    }
}
