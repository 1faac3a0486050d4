//! What is said on request and at the end: where each name stands, and all together.

use std::io::Write;

use crate::lineage::Lineage;
use crate::report::Escaped;
use crate::status::{Status, Tally};
use crate::tail::Tailer;

impl<W: Write> Tailer<W> {
    /// Says on standard error what has not been printed.
    pub fn report_unread(&mut self) {
        for lineage in &self.lineages {
            let unread = self.status_of(lineage).lag;
            if unread > 0 {
                self.reporter.say(format_args!(
                    "stopped with {unread} bytes of {} unread",
                    Escaped(lineage.name())
                ));
            }
        }
    }

    /// Says on standard error where each name stands, and all together.
    pub fn report_status(&mut self) {
        let mut tally = self.forgotten;
        let mut lag = 0;
        for lineage in &self.lineages {
            let status = self.status_of(lineage);
            tally = tally.and(status.tally);
            lag += status.lag;
            self.reporter.say(format_args!("{status}"));
        }
        let Tally {
            rotations,
            bytes,
            losses,
            reclaimed,
        } = tally;
        self.reporter.say(format_args!(
            "status files={} lag={lag} rotations={rotations} bytes={bytes} losses={losses} reclaimed={reclaimed}",
            self.lineages.len()
        ));
    }

    /// Whether something was lost for certain, or has not been printed.
    pub fn has_losses_or_lag(&self) -> bool {
        let of_any = |lineage| {
            let status = self.status_of(lineage);
            status.lag > 0 || status.tally.losses > 0
        };
        self.forgotten.losses > 0 || self.lineages.iter().any(of_any)
    }

    /// Where `lineage` stands. What has not left the program counts as not printed.
    fn status_of<'a>(&self, lineage: &'a Lineage) -> Status<'a> {
        let mut status = lineage.status();
        for generation in &lineage.generations {
            let in_flight = self.bytes_in_flight(generation.id);
            status.lag += in_flight;
            status.tally.bytes -= in_flight;
            if Some(generation.key) == lineage.current {
                status.offset = status.offset.map(|offset| offset - in_flight);
            }
        }
        status
    }
}
