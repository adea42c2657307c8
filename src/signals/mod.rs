//! What drifts, and how sure that is: windows, population drift, change detectors, calibration,
//! override rates, the clock of queues. Pure: plain numbers in, three-valued verdicts out.

pub mod adwin;
pub mod calibration;
pub mod ddm;
pub mod detector;
pub mod intervals;
pub mod page_hinkley;
pub mod sequential;
