//! Reading what the open files hold and writing it out, each name in its turn.

use std::io::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::cut::Patience;
use crate::encoder::{Encoder, Taken, Unread};
use crate::format::{Format, UNFINISHED};
use crate::generation::{CHUNK, Reading};
use crate::lineage::Lineage;
use crate::multiline::Stage;
use crate::output::OutputError;
use crate::report::{Escaped, Severity};
use crate::tail::Tailer;

/// Bytes of one name after which the other names have their turn.
const TURN: usize = 1024 * 1024;
/// How long other names wait for the end of a line that has been begun and goes on all the time.
const LINE_AT_MOST: Duration = Duration::from_secs(10);

/// How far reading one generation got.
enum Progress {
    /// So many bytes; there may be more.
    Read(usize),
    /// Other files may have come before it.
    Rotated,
    /// Nothing more that can be written now.
    AtEnd,
    /// The output takes no more now.
    Blocked,
    /// Newer generations have to wait too.
    Waiting,
}

/// What reading one generation gave.
enum New {
    /// Bytes, at this range of the buffer.
    Data(Range<usize>),
    /// None to write out.
    Nothing(Progress),
}

/// What reading one generation goes by.
#[derive(Clone, Copy)]
struct Step {
    lineage: usize,
    /// Which of its generations.
    place: usize,
    now: Instant,
    /// Whether nothing more is waited for.
    draining: bool,
}

impl<W: Write> Tailer<W> {
    /// Gives each name its turn once, as far as the output takes it.
    pub(crate) fn round_of(&mut self, now: Instant, draining: bool) -> Result<bool, OutputError> {
        if !self.send_rest(now)? {
            return Ok(false);
        }
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
            if self.in_flight.is_some() {
                break;
            }
            if Some(lineage) != holder {
                any |= self.read_lineage(lineage, now, draining)?;
            }
        }
        Ok(any)
    }

    /// Whether a line has been begun whose end may still come soon.
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        let Some(id) = self.output.open_line() else {
            return false;
        };
        let mut generations = self.lineages.iter().flat_map(|lineage| &lineage.generations);
        generations
            .find(|generation| generation.id == id)
            .is_some_and(|generation| {
                let goes_on_since = generation.line_since.unwrap_or(now);
                now.duration_since(generation.last_byte) < UNFINISHED
                    && now.duration_since(goes_on_since) < LINE_AT_MOST
            })
    }

    /// Reads the generations of one name in order, as far as its turn goes.
    fn read_lineage(&mut self, lineage: usize, now: Instant, draining: bool) -> Result<bool, OutputError> {
        let mut left = TURN;
        let mut place = 0;
        while place < self.lineages[lineage].generations.len() && left > 0 {
            let step = Step {
                lineage,
                place,
                now,
                draining,
            };
            match self.read_generation(step)? {
                Progress::Read(bytes) => left = left.saturating_sub(bytes),
                // From the oldest again: what came before may stand at a place that was passed already.
                Progress::Rotated => place = 0,
                Progress::AtEnd => place += 1,
                Progress::Waiting => break,
                Progress::Blocked => return Ok(true),
            }
        }
        Ok(left < TURN)
    }

    fn read_generation(&mut self, step: Step) -> Result<Progress, OutputError> {
        if !self.write_rescued(step)? {
            return Ok(Progress::Blocked);
        }
        let longest = self.format.longest_record();
        let Step { lineage, place, .. } = step;
        let unfinished = self.lineages[lineage].generations[place].unfinished;
        let mut length = if unfinished.is_some_and(|unfinished| unfinished.length >= CHUNK) {
            longest
        } else {
            CHUNK
        };
        loop {
            let range = match self.read_new(step, length) {
                New::Data(range) => range,
                New::Nothing(progress) => return Ok(progress),
            };
            let is_full = range.len() == length;
            if is_full && length < longest {
                let taken = self.take(step, &range, (Patience::Whole, Patience::Whole));
                if taken.bytes > 0 {
                    return self.write_out(step, range.start, taken);
                }
                length = longest;
                continue;
            }
            let is_overdue = unfinished
                .is_some_and(|unfinished| unfinished.is_overdue(range.len(), self.format.waits(), step.now));
            let is_known = unfinished.is_some_and(|unfinished| unfinished.length == range.len());
            let patience = match (is_full, step.draining) {
                (true, _) => (Patience::Full, Patience::Whole),
                (false, true) => (Patience::AsItIs, Patience::AsItIs),
                (false, false) if is_overdue => (Patience::AsItIs, Patience::Whole),
                // The same as before, of which nothing was whole.
                (false, false) if is_known => return Ok(self.wait_for_end(step, range)),
                (false, false) => (Patience::Whole, Patience::Whole),
            };
            let taken = self.take(step, &range, patience);
            if taken.bytes == 0 {
                return Ok(self.wait_for_end(step, range));
            }
            return self.write_out(step, range.start, taken);
        }
    }

    /// Reads what follows the offset of a generation, at most `length` bytes, and deals with what is not plainly more of it.
    fn read_new(&mut self, step: Step, length: usize) -> New {
        let Step {
            lineage, place, now, ..
        } = step;
        let Lineage {
            name,
            unreadable,
            generations,
            ..
        } = &mut self.lineages[lineage];
        let generation = &mut generations[place];
        let range = match generation.read(&mut self.buffer, length) {
            Ok(Reading::Data(range)) => range,
            Ok(Reading::End) => {
                generation.quiet_since.get_or_insert(now);
                return New::Nothing(Progress::AtEnd);
            }
            Ok(Reading::Changed) => {
                self.follow_truncation(lineage, place, now);
                return New::Nothing(Progress::Rotated);
            }
            Err(error) => {
                unreadable.note(Severity::Wrong, now, &mut self.reporter, || {
                    format!("cannot read {} ({error}): trying again", Escaped(name))
                });
                return New::Nothing(Progress::AtEnd);
            }
        };
        unreadable.clear(
            &mut self.reporter,
            format_args!("reading {} again", Escaped(name)),
        );
        if !generation.begun {
            generation.begun = true;
            // Rotated files are put before the current one: that has to be known first.
            self.visit(lineage, now);
            self.adopt_siblings(lineage, None, now);
            return New::Nothing(Progress::Rotated);
        }
        match generation.skip_zeros(&self.buffer, range.clone(), now) {
            0 => New::Data(range),
            zeros => {
                self.lineages[lineage].tally.bytes += zeros as u64;
                New::Nothing(Progress::Read(zeros))
            }
        }
    }

    /// Finds out how much of what was read can leave, and encodes it unless bytes leave as they are. The patience is that with
    /// the first record and that with the others.
    fn take(&mut self, step: Step, range: &Range<usize>, (first, others): (Patience, Patience)) -> Taken {
        let bytes = &self.buffer[range.clone()];
        let follows_another = self.follows_open_line(step);
        let Lineage {
            label, generations, ..
        } = &self.lineages[step.lineage];
        let generation = &generations[step.place];
        let Some(encoder) = &mut self.encoder else {
            let bytes = match whole_lines(bytes) {
                _ if others == Patience::AsItIs => bytes.len(),
                0 if first != Patience::Whole => bytes.len(),
                whole => whole,
            };
            return Taken {
                bytes,
                stage: Stage::Outside,
            };
        };
        let before = range.start.checked_sub(1).map(|at| self.buffer[at]);
        let waited = generation.unfinished.map_or(Duration::ZERO, |unfinished| {
            step.now.duration_since(unfinished.since)
        });
        encoder.encode(
            label,
            &Unread {
                bytes,
                stage: generation.stage,
                // Zeros are what a truncation has left, and were passed over.
                mid_line: before.is_some_and(|before| !b"\n\0".contains(&before)),
                line_is_open: follows_another || self.output.open_line() == Some(generation.id),
                first,
                others,
                waited,
            },
        )
    }

    /// Notes that only the beginning of a line or record is there. Of a file that was rotated newer ones wait for the end, once:
    /// its writer may go on for ever.
    fn wait_for_end(&mut self, step: Step, range: Range<usize>) -> Progress {
        let (silence, _) = self.format.waits();
        let held = matches!(self.format, Format::Json { .. });
        let generation = &mut self.lineages[step.lineage].generations[step.place];
        generation.wait_with(&self.buffer[range], held, step.now);
        generation.awaited = generation.retired.and(generation.awaited.or(Some(step.now)));
        let is_awaited = generation
            .awaited
            .is_some_and(|since| step.now.duration_since(since) < silence.max(UNFINISHED));
        if is_awaited {
            Progress::Waiting
        } else {
            Progress::AtEnd
        }
    }

    /// Whether the first bytes of a file go on with the line that the file before it, rotated in the middle of it, has begun.
    fn follows_open_line(&self, step: Step) -> bool {
        let generations = &self.lineages[step.lineage].generations;
        let previous = step.place.checked_sub(1).map(|place| generations[place].id);
        generations[step.place].position.offset == 0
            && previous.is_some()
            && previous == self.output.open_line()
    }

    /// Writes out the records that a truncation took off the disk while they waited for more. Returns whether all have left.
    fn write_rescued(&mut self, step: Step) -> Result<bool, OutputError> {
        loop {
            let Lineage {
                label, generations, ..
            } = &mut self.lineages[step.lineage];
            let generation = &mut generations[step.place];
            let Some(encoder) = self.encoder.as_mut().filter(|_| !generation.rescued.is_empty()) else {
                return Ok(true);
            };
            let taken = encoder.encode(label, &Unread::last(&generation.rescued));
            let length = encoder.encoded().len();
            generation.rescued.drain(..taken.bytes);
            if generation.rescued.is_empty() {
                generation.rescued = Vec::new();
            }
            let id = generation.id;
            self.output.announce(id, false, true);
            if !self.send(id, 0..length, 0)? {
                return Ok(false);
            }
        }
    }

    fn write_out(&mut self, step: Step, start: usize, taken: Taken) -> Result<Progress, OutputError> {
        let follows_another = self.follows_open_line(step);
        let range = match &self.encoder {
            None => start..start + taken.bytes,
            Some(encoder) => 0..encoder.encoded().len(),
        };
        let bytes = self
            .encoder
            .as_ref()
            .map_or(self.buffer.as_slice(), Encoder::encoded);
        let ends_line = bytes[range.clone()].last() == Some(&b'\n');
        let found = &mut self.lineages[step.lineage];
        let generation = &mut found.generations[step.place];
        generation.line_since = if ends_line {
            None
        } else {
            generation.line_since.or(Some(step.now))
        };
        generation.stage = taken.stage;
        generation.advance(&self.buffer, taken.bytes, step.now);
        found.tally.bytes += taken.bytes as u64;
        let id = generation.id;
        self.output.announce(id, follows_another, ends_line);
        if !self.send(id, range, taken.bytes as u64)? {
            return Ok(Progress::Blocked);
        }
        self.note_printed(step.lineage, step.place, step.now);
        Ok(Progress::Read(taken.bytes))
    }
}

/// The length of the whole lines at the start of `data`.
fn whole_lines(data: &[u8]) -> usize {
    memchr::memrchr(b'\n', data).map_or(0, |newline| newline + 1)
}
