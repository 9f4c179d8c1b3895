use pkit_test::with_processes;

#[with_processes()]
fn nothing_between_the_parentheses() {}

#[with_processes]
fn no_parentheses() {}

fn main() {
    nothing_between_the_parentheses();
    no_parentheses();
}
