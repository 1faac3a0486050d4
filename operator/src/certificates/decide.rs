//! What to do next about the webhook's certificate: a pure function of what is there and of the time.
//!
//! The order of a rotation is what keeps every webhook replica trusted throughout: first the API server is told to trust the old
//! and the new authority, then the leaf is signed by the new one, then the old authority is dropped.

use jiff::{SignedDuration, Timestamp};

/// How long an authority is valid.
pub const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How long a leaf is valid. It is renewed after two thirds.
pub const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Certificates start so long before they are made, for clocks that are slow.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// How old an authority must be before a leaf of it replaces one that is served. It counts from the making of the authority, not
/// from the publication of the bundle, which follows at once unless a write fails: API servers have what is left to notice it.
pub const BUNDLE_SETTLES: SignedDuration = SignedDuration::from_mins(2);
/// The time that webhook replicas get to notice a new leaf before the authority of the old one is dropped.
pub const LEAF_SETTLES: SignedDuration = SignedDuration::from_hours(1);

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
}

/// The validity of what was never valid.
pub const OVER: Validity = Validity {
    not_before: Timestamp::UNIX_EPOCH,
    not_after: Timestamp::UNIX_EPOCH,
};

impl Validity {
    /// From [`BACKDATE`] before `now` until `lifetime` after.
    pub fn starting(now: Timestamp, lifetime: SignedDuration) -> Self {
        Self {
            not_before: now - BACKDATE,
            not_after: now + lifetime,
        }
    }

    fn made(self) -> Timestamp {
        self.not_before + BACKDATE
    }

    fn is_over(self, now: Timestamp) -> bool {
        now >= self.not_after
    }

    /// Whether two thirds of the time have passed.
    fn is_due(self, now: Timestamp) -> bool {
        let total = self.not_after.duration_since(self.not_before);
        now.duration_since(self.not_before) >= total * 2 / 3
    }
}

/// Who signed the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The authority that signs now.
    Current,
    /// The authority that signed before.
    Previous,
}

/// A leaf that can be served: its key fits, its names are right, and a known authority signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// When it is valid.
    pub validity: Validity,
    /// Who signed it.
    pub signer: Signer,
}

/// What the API server has been told to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Exactly the authorities that there are.
    Wanted,
    /// Something else, or nothing.
    Other,
    /// There is no configuration that registers the webhook, so nobody to tell.
    NoConfiguration,
}

/// Everything that the decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The authority that signs.
    pub authority: Option<Validity>,
    /// The authority that signed before, while it is still trusted.
    pub previous: Option<Validity>,
    /// The leaf, when it can be served.
    pub leaf: Option<Leaf>,
    /// What is trusted.
    pub published: Published,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make an authority; there is none that could be kept.
    FirstAuthority,
    /// Make an authority, and keep the present one as the previous.
    NextAuthority,
    /// Tell the API server to trust the authorities that there are.
    Publish,
    /// Sign a leaf by the present authority.
    SignLeaf,
    /// Forget the previous authority.
    DropPrevious,
    /// Nothing, now.
    Wait,
}

/// Decides. Repeated after each step until it says [`Step::Wait`].
pub fn decide(view: &View, now: Timestamp) -> Step {
    let Some(authority) = view.authority.filter(|validity| !validity.is_over(now)) else {
        return Step::FirstAuthority;
    };
    if authority.is_due(now) && view.previous.is_none() {
        return Step::NextAuthority;
    }
    if view.published == Published::Other {
        return Step::Publish;
    }
    let Some(leaf) = view.leaf.filter(|leaf| !leaf.validity.is_over(now)) else {
        // Nothing can be served, so there is nothing to be careful of.
        return Step::SignLeaf;
    };
    let bundle_settled = now >= authority.made() + BUNDLE_SETTLES;
    if leaf.signer == Signer::Previous {
        return if bundle_settled {
            Step::SignLeaf
        } else {
            Step::Wait
        };
    }
    if leaf.validity.is_due(now) {
        return Step::SignLeaf;
    }
    let leaf_settled = now >= leaf.validity.made() + LEAF_SETTLES;
    match view.previous {
        Some(previous) if leaf_settled || previous.is_over(now) => Step::DropPrevious,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn aged(days: i64, lifetime: SignedDuration) -> Validity {
        Validity::starting(NOW - SignedDuration::from_hours(24 * days), lifetime)
    }

    fn leaf(days: i64, signer: Signer) -> Leaf {
        Leaf {
            validity: aged(days, LEAF_LIFETIME),
            signer,
        }
    }

    fn check(
        situation: &str,
        authority: Option<Validity>,
        leaf: Option<Leaf>,
        published: Published,
        step: Step,
    ) {
        let view = View {
            authority,
            previous: None,
            leaf,
            published,
        };
        assert_eq!(decide(&view, NOW), step, "{situation}");
    }

    #[test]
    fn without_a_rotation_each_situation_has_one_next_step() {
        use Published::{NoConfiguration, Other, Wanted};
        let young = Some(aged(10, AUTHORITY_LIFETIME));
        let aged_authority = |days| Some(aged(days, AUTHORITY_LIFETIME));
        let fresh = Some(leaf(1, Signer::Current));
        let old = |days| Some(leaf(days, Signer::Current));
        check("nothing yet", None, None, Other, Step::FirstAuthority);
        check(
            "nothing, not even a configuration",
            None,
            None,
            NoConfiguration,
            Step::FirstAuthority,
        );
        check("authority made", young, None, Other, Step::Publish);
        check("published", young, None, Wanted, Step::SignLeaf);
        check(
            "the webhook gets its leaf without a configuration",
            young,
            None,
            NoConfiguration,
            Step::SignLeaf,
        );
        check("all is well", young, fresh, Wanted, Step::Wait);
        check(
            "all is well, but no configuration",
            young,
            fresh,
            NoConfiguration,
            Step::Wait,
        );
        check("the bundle was overwritten", young, fresh, Other, Step::Publish);
        check("leaf not yet due", young, old(59), Wanted, Step::Wait);
        check("leaf due", young, old(60), Wanted, Step::SignLeaf);
        check("leaf over", young, old(90), Wanted, Step::SignLeaf);
        check(
            "authority not yet due",
            aged_authority(2432),
            fresh,
            Wanted,
            Step::Wait,
        );
        check(
            "authority due",
            aged_authority(2434),
            fresh,
            Wanted,
            Step::NextAuthority,
        );
        check(
            "authority over",
            aged_authority(3650),
            fresh,
            Wanted,
            Step::FirstAuthority,
        );
    }

    #[test]
    fn in_a_rotation_each_situation_has_one_next_step() {
        use Published::{Other, Wanted};
        let (new, young) = (aged(0, AUTHORITY_LIFETIME), aged(10, AUTHORITY_LIFETIME));
        let (due, over) = (aged(2434, AUTHORITY_LIFETIME), aged(3650, AUTHORITY_LIFETIME));
        let signed = |days, signer| Some(leaf(days, signer));
        let (current, previous) = (Signer::Current, Signer::Previous);
        let cases = [
            (
                "bundle first",
                new,
                due,
                signed(1, previous),
                Other,
                Step::Publish,
            ),
            (
                "bundle settles",
                new,
                due,
                signed(1, previous),
                Wanted,
                Step::Wait,
            ),
            (
                "then the leaf",
                young,
                due,
                signed(1, previous),
                Wanted,
                Step::SignLeaf,
            ),
            ("leaf settles", young, due, signed(0, current), Wanted, Step::Wait),
            (
                "then the old one goes",
                young,
                due,
                signed(1, current),
                Wanted,
                Step::DropPrevious,
            ),
            (
                "the old one is over",
                young,
                over,
                signed(0, current),
                Wanted,
                Step::DropPrevious,
            ),
            (
                "one rotation at a time",
                due,
                due,
                signed(1, current),
                Wanted,
                Step::DropPrevious,
            ),
            ("no leaf to be careful of", new, due, None, Wanted, Step::SignLeaf),
        ];
        for (situation, authority, previous, leaf, published, step) in cases {
            let view = View {
                authority: Some(authority),
                previous: Some(previous),
                leaf,
                published,
            };
            assert_eq!(decide(&view, NOW), step, "{situation}");
        }
    }

    /// Plays a rotation hour by hour: at every moment the leaf's signer is among the authorities that are trusted.
    #[test]
    fn a_rotation_never_distrusts_the_leaf() {
        let mut now = NOW;
        // Ages: which authority is which, by number.
        let (mut current, mut previous, mut trusted) = (0, None, vec![0]);
        let mut signer = 0;
        let mut view = View {
            authority: Some(aged(2430, AUTHORITY_LIFETIME)),
            previous: None,
            leaf: Some(leaf(0, Signer::Current)),
            published: Published::Wanted,
        };
        let mut steps = Vec::new();
        for _ in 0..24 * 10 {
            now += SignedDuration::from_hours(1);
            loop {
                let step = decide(&view, now);
                match step {
                    Step::Wait => break,
                    Step::FirstAuthority => panic!("an authority that is valid was thrown away"),
                    Step::NextAuthority => {
                        (previous, current) = (Some(current), current + 1);
                        view.previous = view.authority;
                        view.authority = Some(Validity::starting(now, AUTHORITY_LIFETIME));
                        view.leaf = view.leaf.map(|leaf| Leaf {
                            signer: Signer::Previous,
                            ..leaf
                        });
                        view.published = Published::Other;
                    }
                    Step::Publish => {
                        trusted = previous.into_iter().chain([current]).collect();
                        view.published = Published::Wanted;
                    }
                    Step::SignLeaf => {
                        signer = current;
                        let validity = Validity::starting(now, LEAF_LIFETIME);
                        view.leaf = Some(Leaf {
                            validity,
                            signer: Signer::Current,
                        });
                    }
                    Step::DropPrevious => {
                        previous = None;
                        view.previous = None;
                        view.published = Published::Other;
                    }
                }
                steps.push(step);
                assert!(trusted.contains(&signer), "after {step:?}");
            }
        }
        let in_order = [
            Step::NextAuthority,
            Step::Publish,
            Step::SignLeaf,
            Step::DropPrevious,
            Step::Publish,
        ];
        assert_eq!(steps, in_order);
    }
}
