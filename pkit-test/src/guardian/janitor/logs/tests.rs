use super::*;

#[test]
fn a_log_has_a_name_that_nothing_else_has() {
    let run = |name: &CStr| parse_log(name).map(|run| run.to_str().unwrap().to_owned());
    for name in [c"4711.2-redis.1-a1b2c3.log", c"4711.2-redis.1-a1b2c3.idx.1", c"4711.12-a.b-c.3-a1b2c3.log.1"] {
        assert_eq!(run(name).as_deref(), Some("pkit-4711-a1b2c3"), "{name:?}");
    }
    let others = [c"notes.log", c"4711.2-redis.1-a1b2c3", c"4711.2-redis.1-a1b2.log", c"x.2-redis.1-a1b2c3.log"];
    for name in others.into_iter().chain([c"4711.2-redis-a1b2c3.log", c"4711-redis.1-a1b2c3.log", c".log", c"\xff.log"])
    {
        assert_eq!(run(name), None, "{name:?}");
    }
}

#[test]
fn a_trial_has_the_id_of_a_process() {
    assert!(is_trial(c"4711.trial"));
    assert!(![c"trial", c".trial", c"x.trial", c"4711.trial.1"].into_iter().any(is_trial));
}
