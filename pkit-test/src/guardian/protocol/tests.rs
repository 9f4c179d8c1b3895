use super::*;

/// A program without anything, for tests to which it is all the same.
pub(in crate::guardian) fn plain() -> Launch {
    Launch {
        name: "db".into(),
        program: "/bin/true".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        cwd: "/".into(),
        user: None,
        stop: StopPlan { signal: 15, grace_ms: 1, then_kill: true },
        log: "/log".into(),
        log_bytes: 1,
        input: Vec::new(),
        input_ends: true,
        has_bell: false,
        has_own_pids: false,
        has_network: false,
        is_errand: false,
        function: None,
        ends_with_leader: false,
    }
}

#[test]
fn every_order_comes_back() {
    let plan = StopPlan { signal: 15, grace_ms: 5, then_kill: true };
    let user = User { name: "u".into(), uid: 1, gid: 2, groups: vec![3, 4], home: "/h".into() };
    let launch = Launch {
        name: "a".into(),
        program: "/bin/true".into(),
        arguments: vec![b"true".to_vec(), Vec::new()],
        environment: vec![b"A=1".to_vec()],
        cwd: "/".into(),
        user: Some(user),
        stop: plan,
        log: "/l".into(),
        log_bytes: 9,
        input: b"in".to_vec(),
        input_ends: true,
        has_bell: true,
        has_own_pids: true,
        has_network: false,
        is_errand: true,
        function: Some(FunctionOrder { entry: u64::MAX, name: "f".into(), by_exec: true, has_binary: true }),
        ends_with_leader: true,
    };
    let hello = Hello {
        directory: "/d".into(),
        crash_ms: 1,
        reports: true,
        keep: Keep::Failed,
        keep_ms: 2,
        janitor_ms: 3,
        logs: "/l".into(),
        has_directory: true,
        tells: true,
    };
    let orders = [
        Order::Hello(hello),
        Order::Hold(1),
        Order::Release(2),
        Order::Goodbye { failed: true },
        Order::Spawn(Box::new(launch)),
        Order::Signal { token: 1, number: -1 },
        Order::Pause { token: 1 },
        Order::Resume { token: 1 },
        Order::Stop(plan),
        Order::Write { token: 1, bytes: vec![1] },
        Order::CloseInput { token: 1 },
        Order::Watch { seen: 1 },
        Order::Sync { token: 1 },
        Order::Pardon { token: 1 },
        Order::Network,
        Order::Slate,
        Order::Binary,
        Order::Attend { token: 1 },
    ];
    for order in orders {
        assert_eq!(Order::from_frame(&order.to_frame(7)), Some(order));
    }
}

#[test]
fn every_event_comes_back() {
    let code: Exit = End::Code(3).into();
    let signal: Exit = End::Signal { number: 9, core_dumped: true }.into();
    let events = [
        Event::Started { pid: 5, shim: 4 },
        Event::Refused { step: Step::Cwd, errno: 2 },
        Event::Exited { exit: code, was_asked: true },
        Event::Output { end: 1 << 40 },
        Event::Answer { token: 3, errno: 0, pid: 7 },
        Event::Stuck(vec![1, 2]),
        Event::Gone { exit: signal, was_asked: false, killed: true },
        Event::Lost,
        Event::Declined,
        Event::NoBell,
        Event::Note("text".into()),
    ];
    for event in events {
        assert_eq!(Event::from_frame(&event.to_frame(7)), Some(event));
    }
}
