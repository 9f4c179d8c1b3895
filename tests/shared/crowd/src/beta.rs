//! Sixty of the crowd.

crowd::sixty!("beta");
