//! Whether rotated files that were compressed had been read before: nothing is read from them.

use std::collections::BTreeSet;
use std::io::Write;

use crate::compressed::{Original, content, is_unfinished};
use crate::identity::FileKey;
use crate::lineage::Lineage;
use crate::report::Escaped;
use crate::siblings::Sibling;
use crate::tail::Tailer;

impl<W: Write> Tailer<W> {
    /// Says which of the compressed files were not read before they were compressed.
    pub(crate) fn judge_compressed(&mut self, lineage: usize, compressed: Vec<Sibling>) {
        let found = &mut self.lineages[lineage];
        let is_first = found.compressed.is_none();
        let mut judged = found.compressed.take().unwrap_or_default();
        let keys: BTreeSet<FileKey> = compressed.iter().map(|file| file.key).collect();
        judged.retain(|key| keys.contains(key));
        let written = self.resumed.as_ref().map(|resumed| resumed.written);
        for file in compressed {
            // What was there before anybody followed the name is history.
            let is_history = is_first && written.is_none_or(|written| file.made <= Some(written));
            if is_history {
                judged.insert(file.key);
                continue;
            }
            if judged.contains(&file.key) || is_unfinished(&file.path) {
                continue;
            }
            // Gone again, or not whole yet: the next look judges it.
            let Ok(content) = content(&file.path) else {
                continue;
            };
            judged.insert(file.key);
            let name = Escaped(&file.path);
            match content {
                Original::Empty => {}
                Original::Of(size) if found.has_read(size) => {}
                Original::Of(size) => {
                    found.tally.losses += 1;
                    self.reporter.say(format_args!(
                        "lost: {name} was compressed before all of its {size} bytes were read: compress one rotation later"
                    ));
                }
                Original::OfUnknownSize if found.claim_read() => {}
                Original::OfUnknownSize => {
                    found.tally.losses += 1;
                    self.reporter.say(format_args!(
                        "lost: {name} was compressed before anything of it was read: compress one rotation later"
                    ));
                }
            }
        }
        found.compressed = Some(judged);
    }

    /// Notes how much an earlier run has read of the files of a name, of which some may have been compressed since.
    pub(crate) fn note_resumed(&self, lineage: &mut Lineage) {
        let name = lineage.name_hash;
        for record in self.resumed_records().filter(|record| record.name == name) {
            lineage.note_read(record.position.offset);
        }
    }
}
