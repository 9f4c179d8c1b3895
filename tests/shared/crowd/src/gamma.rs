//! Sixty of the crowd.

crowd::sixty!("gamma");
