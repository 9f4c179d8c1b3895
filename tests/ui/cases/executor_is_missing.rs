use pkit_test::{Process, simple, with_processes};

#[with_processes(
    only_a_name,
    only_an_equals_sign =,
    comparison == simple("a"),
    colon: simple("a"),
    arrow => simple("a"),
    module::name = simple("a"),
    ,
    unfinished = 1 +,
    good = simple("a, b"),
    no_comma = simple("a")
    after_no_comma = simple("a")
    last
)]
fn wrong_in_every_way(good: Process, only_a_name: Process, after_no_comma: Process) {}

fn main() {
    wrong_in_every_way();
}
