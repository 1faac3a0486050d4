//! What was handed to the output and has not left yet.
//!
//! A file counts as read as far as it was handed over, so that looks go on while nobody takes it. The checkpoint says what has
//! left: it stays as it is until all has.

use std::io::Write;
use std::ops::Range;
use std::time::Instant;

use crate::generation::GenerationId;
use crate::in_flight::InFlight;
use crate::output::{Blocked, OutputError};
use crate::tail::Tailer;

impl<W: Write> Tailer<W> {
    /// Where bytes go.
    pub fn sink(&self) -> &W {
        self.output.sink()
    }

    /// Why what was handed over has not left, if it has not. Nothing is read until it has.
    pub fn blocked(&self) -> Option<Blocked> {
        self.in_flight.as_ref().and(self.output.blocked())
    }

    /// Sends what was announced: a range of what was encoded last, or of the buffer. Returns whether all of it has left.
    pub(crate) fn send(
        &mut self,
        source: GenerationId,
        rest: Range<usize>,
        of_file: u64,
    ) -> Result<bool, OutputError> {
        let mut in_flight = InFlight {
            source,
            of_file,
            rest,
        };
        if self.push(&mut in_flight)? {
            return Ok(true);
        }
        self.in_flight = Some(in_flight);
        self.checkpoint.hold();
        Ok(false)
    }

    /// Goes on with what has not left. Returns whether there is nothing more of it.
    pub(crate) fn send_rest(&mut self, now: Instant) -> Result<bool, OutputError> {
        let Some(mut in_flight) = self.in_flight.take() else {
            return Ok(true);
        };
        if !self.push(&mut in_flight)? {
            self.in_flight = Some(in_flight);
            return Ok(false);
        }
        self.checkpoint.go_on();
        self.write_checkpoint(now);
        // It may be gone: truncated without a copy.
        if let Some((lineage, place)) = self.find_id(in_flight.source) {
            self.note_printed(lineage, place, now);
        }
        Ok(true)
    }

    /// Keeps what was printed of a generation.
    pub(crate) fn note_printed(&mut self, lineage: usize, place: usize, now: Instant) {
        self.save(lineage, place, now);
        self.reclaim_printed(lineage, place);
    }

    /// Whether bytes of this generation have not left yet.
    pub(crate) fn is_in_flight(&self, id: GenerationId) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.source == id)
    }

    /// Bytes of this generation's file that count as read and have not left as a whole.
    pub(crate) fn bytes_in_flight(&self, id: GenerationId) -> u64 {
        let in_flight = self.in_flight.as_ref().filter(|in_flight| in_flight.source == id);
        in_flight.map_or(0, |in_flight| in_flight.of_file)
    }

    fn push(&mut self, in_flight: &mut InFlight) -> Result<bool, OutputError> {
        let bytes = match &self.encoder {
            None => &self.buffer[in_flight.rest.clone()],
            Some(encoder) => &encoder.encoded()[in_flight.rest.clone()],
        };
        in_flight.rest.start += self.output.write(bytes, &mut self.reporter)?;
        Ok(self.output.blocked().is_none())
    }

    fn find_id(&self, id: GenerationId) -> Option<(usize, usize)> {
        let mut lineages = self.lineages.iter().enumerate();
        lineages.find_map(|(lineage, found)| Some((lineage, found.place_of(id)?)))
    }
}
