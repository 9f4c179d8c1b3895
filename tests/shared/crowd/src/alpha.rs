//! Sixty of the crowd, and those that are run for what they do to it.

crowd::sixty!("alpha");

mod special {
    #[test]
    fn hangs() {
        crowd::hangs();
    }

    #[test]
    fn ends_the_server() {
        crowd::ends_the_server();
    }

    #[test]
    fn is_alone_and_starts_it_again() {
        crowd::is_alone_and_starts_it_again();
    }

    #[test]
    fn is_alone_and_dies() {
        crowd::is_alone_and_dies();
    }

    #[test]
    fn has_a_child() {
        crowd::has_a_child();
    }

    #[test]
    fn first_says_and_passes() {
        crowd::says("the first", true);
    }

    #[test]
    fn then_says_and_fails() {
        crowd::says("the second", false);
    }
}

mod broken {
    #[test]
    fn a() {
        crowd::needs_what_is_broken();
    }

    #[test]
    fn b() {
        crowd::needs_what_is_broken();
    }

    #[test]
    fn c() {
        crowd::needs_what_is_broken();
    }

    #[test]
    fn d() {
        crowd::needs_what_is_broken();
    }

    #[test]
    fn tries_again() {
        crowd::tries_what_is_broken_again();
    }
}
