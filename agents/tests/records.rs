//! The cases that every engine's test runs make sense: each policy is accepted, or refused where the case says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod record_cases;

use std::collections::BTreeSet;

use tributary_agents::compile;
use tributary_crds::engine::Engine;

#[test]
fn every_case_has_its_own_name_and_shows_something() {
    let mut names = BTreeSet::new();
    for case in record_cases::cases() {
        let changed = case
            .examples
            .iter()
            .any(|example| example.after.as_ref() != Some(&example.before));
        assert!(changed || case.name.starts_with("what is no"), "{}", case.name);
        assert!(names.insert(case.name.clone()), "{} is there twice", case.name);
    }
    assert!(names.len() >= 30, "cases are missing");
}

#[test]
fn policies_are_refused_where_their_case_says_so() {
    for case in record_cases::cases() {
        for engine in Engine::ALL {
            let outcome = compile("case", &case.spec(engine));
            assert_eq!(
                outcome.is_err(),
                case.is_refused(engine),
                "{}: {}: {outcome:?}",
                case.name,
                engine.as_str()
            );
        }
    }
}
