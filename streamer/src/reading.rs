//! Reading what the open files hold and writing it out, each name in its turn.

use std::io::Write;
use std::time::Instant;

use crate::generation::{CHUNK, Reading};
use crate::lineage::Lineage;
use crate::output::OutputError;
use crate::report::{Escaped, Severity};
use crate::tail::{Tailer, UNFINISHED};

/// Bytes of one name after which the other names have their turn.
const TURN: usize = 1024 * 1024;

/// How far reading one generation got.
enum Progress {
    /// So many bytes; there may be more.
    Read(usize),
    /// Other files may have come before it.
    Rotated,
    /// Nothing more that can be written now.
    AtEnd,
    /// Newer generations have to wait too.
    Waiting,
}

impl<W: Write> Tailer<W> {
    /// Gives each name its turn once.
    pub(crate) fn round_of(&mut self, now: Instant, draining: bool) -> Result<bool, OutputError> {
        let mut any = false;
        let count = self.lineages.len();
        // Whoever has begun a line goes on first.
        let holder = self
            .output
            .open_line()
            .and_then(|id| self.lineages.iter().position(|one| one.place_of(id).is_some()));
        if let Some(lineage) = holder {
            any |= self.read_lineage(lineage, now, draining)?;
            if !draining && self.is_held(now) {
                return Ok(any);
            }
        }
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        for lineage in (0..count).map(|step| turn.wrapping_add(step) % count) {
            if Some(lineage) != holder {
                any |= self.read_lineage(lineage, now, draining)?;
            }
        }
        Ok(any)
    }

    /// Whether a line has been begun whose end may still come soon.
    fn is_held(&self, now: Instant) -> bool {
        let Some(id) = self.output.open_line() else {
            return false;
        };
        let mut generations = self.lineages.iter().flat_map(|lineage| &lineage.generations);
        generations
            .find(|generation| generation.id == id)
            .is_some_and(|generation| now.duration_since(generation.last_byte) < UNFINISHED)
    }

    /// Reads the generations of one name in order, as far as its turn goes.
    fn read_lineage(&mut self, lineage: usize, now: Instant, draining: bool) -> Result<bool, OutputError> {
        let mut left = TURN;
        let mut place = 0;
        while place < self.lineages[lineage].generations.len() && left > 0 {
            match self.read_generation(lineage, place, now, draining)? {
                Progress::Read(bytes) => left = left.saturating_sub(bytes),
                // From the oldest again: what came before may stand at a place that was passed already.
                Progress::Rotated => place = 0,
                Progress::AtEnd => place += 1,
                Progress::Waiting => break,
            }
        }
        Ok(left < TURN)
    }

    fn read_generation(
        &mut self,
        lineage: usize,
        place: usize,
        now: Instant,
        draining: bool,
    ) -> Result<Progress, OutputError> {
        let Lineage {
            name,
            unreadable,
            generations,
            ..
        } = &mut self.lineages[lineage];
        let generation = &mut generations[place];
        let range = match generation.read(&mut self.buffer) {
            Ok(Reading::Data(range)) => range,
            Ok(Reading::End) => {
                generation.quiet_since.get_or_insert(now);
                return Ok(Progress::AtEnd);
            }
            Ok(Reading::Changed) => {
                self.follow_truncation(lineage, place, now);
                return Ok(Progress::Rotated);
            }
            Err(error) => {
                unreadable.note(Severity::Wrong, now, &mut self.reporter, || {
                    format!("cannot read {} ({error}): trying again", Escaped(name))
                });
                return Ok(Progress::AtEnd);
            }
        };
        unreadable.clear(
            &mut self.reporter,
            format_args!("reading {} again", Escaped(name)),
        );
        if !generation.begun {
            generation.begun = true;
            self.adopt_siblings(lineage, None, now);
            return Ok(Progress::Rotated);
        }
        let zeros = generation.skip_zeros(&self.buffer, range.clone(), now);
        if zeros > 0 {
            return Ok(Progress::Read(zeros));
        }
        let data = &self.buffer[range.clone()];
        let overdue = generation
            .unfinished
            .is_some_and(|(_, since)| now.duration_since(since) >= UNFINISHED);
        let count = match whole_lines(data) {
            _ if draining => data.len(),
            // Part of a line that is longer than a chunk, or has waited long enough.
            0 if overdue || data.len() == CHUNK => data.len(),
            count => count,
        };
        if count == 0 {
            return Ok(self.wait_for_line_end(lineage, place, range.len(), now));
        }
        self.write_out(lineage, place, range.start, count, now)?;
        Ok(Progress::Read(count))
    }

    /// Notes that only the beginning of a line is there. Newer files wait a moment for its end when the file was just rotated.
    fn wait_for_line_end(&mut self, lineage: usize, place: usize, length: usize, now: Instant) -> Progress {
        let generation = &mut self.lineages[lineage].generations[place];
        let since = generation.unfinished.map_or(now, |(_, since)| since);
        generation.unfinished = Some((length, since));
        let just_rotated = generation
            .retired
            .is_some_and(|retired| now.duration_since(retired) < UNFINISHED);
        if just_rotated {
            Progress::Waiting
        } else {
            Progress::AtEnd
        }
    }

    fn write_out(
        &mut self,
        lineage: usize,
        place: usize,
        start: usize,
        count: usize,
        now: Instant,
    ) -> Result<(), OutputError> {
        let generations = &self.lineages[lineage].generations;
        let (id, offset) = (generations[place].id, generations[place].position.offset);
        let previous = place.checked_sub(1).map(|place| generations[place].id);
        let continues = offset == 0 && previous.is_some() && previous == self.output.open_line();
        self.output.write(
            id,
            continues,
            &self.buffer[start..start + count],
            &mut self.reporter,
        )?;
        self.lineages[lineage].generations[place].advance(&self.buffer, count, now);
        self.save(lineage, place, now);
        Ok(())
    }
}

/// The length of the whole lines at the start of `data`.
fn whole_lines(data: &[u8]) -> usize {
    data.iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1)
}
