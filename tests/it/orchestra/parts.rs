//! Executors made of others: steps, and several processes.

use std::fs;
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use expect_test::expect;
use pkit_test::{
    Executor, Ground, Need, Orchestra, Process, Restart, Result, Spec, Stack, finished, orchestra, orchestrated,
    output, ready, simple, with_processes,
};

use super::{echo, said};
use crate::child::{Child, HANG, child};
use crate::text::normalised;

/// A process that others meet only when a step behind it has ended with exit code 0.
struct Migrated<E>(E, Spec);

impl<E: Executor> Executor for Migrated<E> {
    type Handle = E::Handle;

    fn needs(&self) -> Vec<Need> {
        [self.0.needs(), self.1.needs()].concat()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.0.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<E::Handle> {
        let handle = ground.start(self.0)?;
        ground.child("migration").start(self.1)?;
        Ok(handle)
    }

    fn process(handle: &E::Handle) -> Option<&Process> {
        E::process(handle)
    }
}

/// Two processes, one after the other, in two places.
struct Cluster {
    primary: Spec,
    replica: Spec,
}

struct Nodes {
    primary: Process,
    replica: Process,
}

impl Executor for Cluster {
    type Handle = Nodes;

    /// What one part needs of the other is nobody else's business.
    fn needs(&self) -> Vec<Need> {
        let all = [self.primary.needs(), self.replica.needs()].concat();
        all.into_iter().filter(|need| need.name() != "primary").collect()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.primary.place(&ground.child("primary"))?;
        self.replica.place(&ground.child("replica"))
    }

    fn start_on(self, ground: &Ground) -> Result<Nodes> {
        let primary = ground.child("primary").start(self.primary)?;
        let replica = ground.child("replica").start(self.replica)?;
        Ok(Nodes { primary, replica })
    }
}

fn cluster(sleeper: &Child) -> Cluster {
    let node = || output(sleeper.with(""), "sleeper").env("PORT", "{port}");
    Cluster { primary: node(), replica: node().env("PRIMARY", "{primary.addr}") }
}

#[test]
fn a_step_behind_a_process_is_over_when_others_meet_it() {
    let sleeper = child("sleeper");
    let db = output(sleeper.with(""), "sleeper").port("admin");
    let step = finished("sh -c 'echo {db.pid} {db.port.admin} > {db.dir}/schema'");
    let stack = orchestra()
        .with("app", simple("cat {db.dir}/schema").after("db").may_exit())
        .with("db", Migrated(db, step))
        .start()
        .unwrap();
    let db: &Process = stack.get("db");
    assert_eq!(said(&stack["app"]), format!("{} {}", db.pid().unwrap(), db.port_of("admin")));
}

#[test]
fn a_stack_comes_up_again_without_what_its_executors_do_without() {
    struct Prepared(Spec);
    impl Executor for Prepared {
        type Handle = Process;
        fn start_on(self, ground: &Ground) -> Result<Process> {
            ground.child("absent").start(simple("no-such-program")).unwrap_err();
            drop(ground.child("helper").start(self.0.clone())?);
            ground.child("step").start(finished("true"))?;
            ground.child("db").start(self.0.after("step"))
        }
    }
    let sleeper = child("sleeper");
    let spec = output(sleeper.with(""), "sleeper");
    let stack = orchestra().with("all", Prepared(spec.clone())).with("app", spec.after("all")).start().unwrap();
    stack.restart(Restart::Graceful).unwrap();
    let all: &Process = stack.get("all");
    assert_eq!((all.restarts(), stack["app"].restarts()), (1, 1));
    stack.member("all").stop().unwrap();
    stack.member("all").start().unwrap();
    assert_eq!((all.restarts(), stack["app"].restarts(), sleeper.count()), (2, 2, 2));
}

#[test]
fn a_step_that_fails_leaves_nothing_and_is_told_with_its_last_words() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let step = finished(exits.with("3 --say 'no such table'")).env("DB", "{db.addr}");
    let db = output(sleeper.with(""), "sleeper").env("PORT", "{port}");
    let error = orchestra().with("db", Migrated(db, step)).start().unwrap_err();
    expect![[r#"
        `db.migration` did not finish with exit code 0
          spec:   finished("'CHILDREN/exits' 3 --say 'no such table'")   tests/it/orchestra/parts.rs
          ran:    CHILDREN/exits 3 --say 'no such table'   pid N, in N ms
          exit:   exit code 3
          probe:  ends with exit code 0: exit code 3, N tries
          needs:  db (ready in N ms)
          stderr: no such table"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn a_step_may_be_all_there_is() {
    struct Step(Spec);
    impl Executor for Step {
        type Handle = ();
        fn needs(&self) -> Vec<Need> {
            self.0.needs()
        }
        fn start_on(self, ground: &Ground) -> Result<()> {
            ground.start(self.0).map(drop)
        }
    }
    let sleeper = child("sleeper");
    let stack = |code: i32| {
        orchestra()
            .with("app", simple("cat {db.dir}/schema").after("step").may_exit())
            .with("step", Step(finished(format!("sh -c 'echo done > {{db.dir}}/schema; exit {code}'"))))
            .with("db", output(sleeper.with(""), "sleeper"))
    };
    assert_eq!(orchestrated(stack(0), |stack| said(&stack["app"])).unwrap(), "done");
    let error = orchestrated(stack(7), |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("`step` did not finish with exit code 0\n"), "{error}");
}

#[test]
fn parts_are_known_by_their_names_inside_and_outside() {
    let sleeper = child("sleeper");
    let stack = orchestra()
        .with("client", echo("{cluster.primary.port} {cluster.replica.port} {cluster.replica.pid}"))
        .with("cluster", cluster(&sleeper))
        .start()
        .unwrap();
    let nodes: &Nodes = stack.get("cluster");
    let (primary, replica) = (&nodes.primary, &nodes.replica);
    assert_eq!((primary.name(), replica.name()), ("cluster.primary", "cluster.replica"));
    assert_eq!(said(&stack["client"]), format!("{} {} {}", primary.port(), replica.port(), replica.pid().unwrap()),);
    let environment = fs::read_to_string(format!("/proc/{}/environ", replica.pid().unwrap())).unwrap();
    assert!(environment.split('\0').any(|one| one == format!("PRIMARY={}", primary.addr())), "{environment}");
}

#[test]
fn places_of_parts_are_known_before_anything_starts() {
    let sleeper = child("sleeper");
    let early = output(sleeper.with(""), "sleeper").env("PEER", "{&cluster.replica.addr}");
    let cluster = cluster(&sleeper);
    let cluster = Cluster { primary: cluster.primary.env("EARLY", "{early.pid}"), ..cluster };
    let stack = orchestra().with("cluster", cluster).with("early", early).start().unwrap();
    let replica = &stack.get::<Nodes>("cluster").replica;
    let environment = fs::read_to_string(format!("/proc/{}/environ", stack["early"].pid().unwrap())).unwrap();
    assert!(environment.split('\0').any(|one| one == format!("PEER={}", replica.addr())), "{environment}");
}

#[test]
fn a_failure_of_the_second_leaves_nothing_of_the_first() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let broken = || Cluster { replica: output(exits.with("4"), "never"), ..cluster(&sleeper) };
    let error = orchestra().with("cluster", broken()).start().unwrap_err();
    expect![[r#"
        `cluster.replica` exited before it was ready
          spec:   output("'CHILDREN/exits' 4", "never")   tests/it/orchestra/parts.rs
          ran:    CHILDREN/exits 4   pid N, in N ms
          exit:   exit code 4
          probe:  output matches `never`: it has written nothing, N tries
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!(sleeper.count(), 0);
    let inner = orchestra().with("cluster", broken());
    let error = orchestra().with("outer", orchestra().with("inner", inner)).start().err().unwrap();
    assert!(error.to_string().starts_with("`outer.inner.cluster.replica` exited before it was ready\n"), "{error}");
    assert_eq!(sleeper.count(), 0);
    let error = broken().start().err().unwrap();
    assert!(error.to_string().starts_with("`cluster.replica` exited before it was ready\n"), "{error}");
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn a_failure_elsewhere_gives_up_a_part_that_starts() {
    let sleeper = child("sleeper");
    let (tell, entered) = channel();
    let waits = ready::poll(move |_| tell.send(()).is_err());
    let patient = Cluster { replica: simple(sleeper.with("")).ready(waits), ..cluster(&sleeper) };
    let entered = Mutex::new(entered);
    let broken = ready::poll(move |_| -> bool {
        entered.lock().unwrap().recv_timeout(HANG).unwrap();
        panic!("on purpose")
    });
    let stack =
        orchestra().with("patient", patient).with("broken", simple(sleeper.with("")).ready(broken)).start().err();
    let error = stack.unwrap().to_string();
    assert!(error.starts_with("`broken` was stopped: its probe panicked: on purpose\n"), "{error}");
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn parts_end_in_reverse_order_and_after_what_needs_them() {
    let order = child("order");
    let file = order.file("stops");
    let spec = |name: &str| output(order.with(&format!("{name} '{}'", file.display())), "ready");
    let stack = || {
        let cluster = Cluster { primary: spec("primary"), replica: spec("replica").env("P", "{primary.dir}") };
        orchestra()
            .with("client", spec("client").env("R", "{cluster.replica.dir}"))
            .with("cluster", cluster)
            .with("storage", spec("storage"))
    };
    let ends = || {
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        text.lines().filter(|line| *line != "storage").map(str::to_owned).collect::<Vec<_>>()
    };
    drop(stack().start().unwrap());
    assert_eq!(ends(), ["client", "replica", "primary"]);
    orchestrated(stack(), |_| ()).unwrap();
    assert_eq!(ends(), ["client", "replica", "primary"]);
    // By itself: no stack knows an order, but the parts do.
    let alone = Cluster { primary: spec("primary"), replica: spec("replica").env("P", "{primary.dir}") };
    drop(alone.start().unwrap());
    assert_eq!(ends(), ["replica", "primary"]);
}

#[with_processes(client = echo("{cluster.replica.port}"), cluster = of_two())]
#[test]
fn parts_are_those_of_a_member_of_an_attribute(client: Process, cluster: &Nodes) {
    assert_eq!(said(&client), cluster.replica.port().to_string());
    cluster.primary.restart(Restart::Forced).unwrap();
    assert!(cluster.replica.is_alive());
}

fn of_two() -> Cluster {
    let node = || output("sh -c 'echo up; read line'", "up").env("PORT", "{port}");
    Cluster { primary: node(), replica: node().env("PRIMARY", "{primary.addr}") }
}

#[test]
fn a_part_is_started_again_in_its_place() {
    let sleeper = child("sleeper");
    let stack = orchestra().with("inner", orchestra().with("cluster", cluster(&sleeper))).start().unwrap();
    let nodes: &Nodes = stack.get::<Stack>("inner").get("cluster");
    let before = (nodes.replica.port(), nodes.replica.dir().to_owned());
    nodes.replica.restart(Restart::Forced).unwrap();
    assert_eq!((nodes.replica.port(), nodes.replica.dir().to_owned()), before);
    nodes.primary.kill().unwrap();
    nodes.replica.stop().unwrap();
    nodes.replica.start().unwrap();
    assert!(nodes.replica.is_alive() && !nodes.primary.is_alive());
}

#[test]
fn parts_are_named_through_all_that_they_are_in() {
    let sleeper = child("sleeper");
    let inner = orchestra().with("near", echo("{cluster.replica.port}")).with("cluster", cluster(&sleeper));
    let stack = orchestra().with("far", echo("{inner.cluster.replica.port}")).with("inner", inner).start().unwrap();
    let inner: &Stack = stack.get("inner");
    let port = inner.get::<Nodes>("cluster").replica.port().to_string();
    assert_eq!((said(&stack["far"]), said(&inner["near"])), (port.clone(), port));
}

#[test]
fn a_stack_may_be_a_part() {
    struct Wide(Spec, Orchestra);
    impl Executor for Wide {
        type Handle = (Process, Stack);
        fn start_on(self, ground: &Ground) -> Result<(Process, Stack)> {
            let first = ground.child("first").start(self.0)?;
            Ok((first, ground.child("rest").start(self.1)?))
        }
    }
    let sleeper = child("sleeper");
    let wide = || {
        let rest = orchestra().with("one", echo("{first.port} {two.port}")).with("two", echo("{port}"));
        Wide(output(sleeper.with(""), "sleeper").env("PORT", "{port}"), rest)
    };
    let stack = orchestra().with("wide", wide()).with("far", echo("{wide.rest.two.port}")).start().unwrap();
    let (outer, inner): &(Process, Stack) = stack.get("wide");
    assert_eq!(said(&inner["one"]), format!("{} {}", outer.port(), inner["two"].port()));
    assert_eq!(said(&stack["far"]), inner["two"].port().to_string());
    let (first, rest) = wide().start().unwrap();
    assert_eq!(said(&rest["one"]), format!("{} {}", first.port(), rest["two"].port()));
    drop(stack);
    assert_eq!(sleeper.count(), 1);
    drop((rest, first));
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn directories_of_parts_are_gone_with_them() {
    let sleeper = child("sleeper");
    let stack = orchestra().with("cluster", cluster(&sleeper)).start().unwrap();
    let nodes: &Nodes = stack.get("cluster");
    let directories = [nodes.primary.dir().to_owned(), nodes.replica.dir().to_owned()];
    drop(stack);
    assert_eq!(directories.map(|directory| directory.exists()), [false, false]);
    let nodes = cluster(&sleeper).start().unwrap();
    let directories = [nodes.primary.dir().to_owned(), nodes.replica.dir().to_owned()];
    drop(nodes);
    assert_eq!(directories.map(|directory| directory.exists()), [false, false]);
}

#[test]
fn what_needs_a_part_ends_before_it_also_when_it_is_dropped() {
    let sleeper = child("sleeper");
    let (tell, ends) = channel();
    let told = move |name: &'static str| {
        let tell = tell.clone();
        output(sleeper.with(""), "sleeper").on_exit(move |_, _| tell.send(name).unwrap())
    };
    let nodes = Cluster { primary: told("primary"), replica: told("replica").env("P", "{primary.dir}") };
    let nodes = nodes.start().unwrap();
    drop(nodes.primary);
    assert_eq!(ends.try_iter().collect::<Vec<_>>(), ["replica", "primary"]);
}

#[test]
fn a_part_needs_a_name_that_a_hole_can_have() {
    struct Odd(&'static str);
    impl Executor for Odd {
        type Handle = ();
        fn start_on(self, ground: &Ground) -> Result<()> {
            ground.child(self.0).start(simple("true").may_exit()).map(drop)
        }
    }
    for name in ["port", "a b", "a.b", ""] {
        let error = orchestra().with("odd", Odd(name)).start().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the executor of `odd` panicked while it started: no part of `odd` can be called `{name}`"),
        );
    }
}

/// Two parts of which nobody was told what they need.
struct Quiet(Spec, Spec);

impl Executor for Quiet {
    type Handle = (Process, Process);

    fn start_on(self, ground: &Ground) -> Result<(Process, Process)> {
        Ok((ground.child("first").start(self.0)?, ground.child("second").start(self.1)?))
    }
}

#[test]
fn a_part_that_needs_itself_is_told_so() {
    let sleeper = child("sleeper");
    let quiet = Quiet(simple(sleeper.with("")), echo("{second.port}"));
    let error = orchestra().with("quiet", quiet).start().unwrap_err();
    expect![[r#"
        `quiet.second` needs itself
          spec:   simple("echo {second.port}")   tests/it/orchestra/parts.rs
          hint:   `{&quiet.second.addr}` is the address without the order"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn a_part_that_names_nobody_is_told_whom_it_could() {
    let sleeper = child("sleeper");
    let quiet = Quiet(simple(sleeper.with("")), echo("{frist.port}"));
    let error = orchestra().with("quiet", quiet).start().unwrap_err();
    expect![[r#"
        `quiet.second` was not started: {frist.port} means nothing here
          why:    there is no process `frist`, but `quiet`, `quiet.first`
          hint:   write {{frist.port}} where the text {frist.port} is meant
          spec:   simple("echo {frist.port}")   tests/it/orchestra/parts.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn one_by_itself_is_called_as_its_type_is() {
    let sleeper = child("sleeper");
    let step = finished("true");
    let process = Migrated(output(sleeper.with(""), "sleeper"), step).start().unwrap();
    assert_eq!(process.name(), "migrated");
    let mut text = String::new();
    fs::File::open(process.log_path()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "sleeper\n");
    let log = process.log_path();
    drop(process);
    assert_eq!((sleeper.count(), log.exists()), (0, false));
}
