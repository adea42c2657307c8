//! The shipped detectors on public streams with known changes, beside the best that open libraries
//! reach there without a false alarm.

use overrule::signals::detector::{Detector, DetectorSettings};

use crate::folder;

/// A column of a CSV file: the row's number (or its line) and the value.
fn column(file: &str, value: impl Fn(&[&str]) -> f64) -> Option<Vec<(usize, f64)>> {
    let text = std::fs::read_to_string(folder::path("streams").join(file)).ok()?;
    let mut lines = text.lines();
    let numbered = lines.next()?.starts_with("row,");
    Some(
        lines
            .enumerate()
            .map(|(i, line)| {
                let cells: Vec<&str> = line.split(',').collect();
                let row = if numbered { cells[0].parse().expect("a row number") } else { i };
                (row, value(&cells))
            })
            .collect(),
    )
}

fn alarms(settings: DetectorSettings, stream: &[(usize, f64)]) -> Vec<usize> {
    let mut detector = Detector::new(settings);
    stream.iter().filter_map(|(row, value)| detector.update(Some(*value)).then_some(*row)).collect()
}

/// Rows from each change to the first alarm before the next one.
fn delays(alarms: &[usize], changes: &[usize]) -> Vec<Option<usize>> {
    changes
        .iter()
        .enumerate()
        .map(|(i, change)| {
            let end = changes.get(i + 1).copied().unwrap_or(usize::MAX);
            alarms.iter().find(|row| (*change..end).contains(row)).map(|row| row - change)
        })
        .collect()
}

fn within(alarms: &[usize], zones: &[(usize, usize)]) -> usize {
    let stable = |row: &&usize| zones.iter().any(|(a, b)| (a..=b).contains(row));
    alarms.iter().filter(stable).count()
}

fn cell(delay: Option<usize>) -> String {
    delay.map_or_else(|| "missed".to_owned(), |rows| rows.to_string())
}

const INSECTS: [usize; 4] = [10_467, 11_773, 14_028, 22_718];
const STABLE: [(usize, usize); 2] = [(7_500, 10_461), (15_000, 22_699)];
const LOAN: usize = 75_000;
const ELEC: usize = 17_424;

#[test]
fn the_shipped_default_is_as_good_as_the_best_library_without_false_alarms() {
    let insects = column("insects_gradual_balanced.csv", |c| c[4].parse().expect("bit"));
    let loan = column("nannyml_car_loan.csv", |c| f64::from(u8::from(c[0] != c[1])));
    let elec = column("elec2_nsw.csv", |c| c[9].parse().expect("bit"));
    let (Some(insects), Some(loan), Some(elec)) = (insects, loan, elec) else {
        println!("no streams beside the repository: nothing measured");
        return;
    };
    println!(
        "| detector | 10467 | 11773 | 14028 | 22718 | sum | stable zones | loan | before | elec2 | before |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for name in ["adwin", "page_hinkley", "ddm"] {
        let settings = DetectorSettings::named(name).expect("a name");
        let of_insects = alarms(settings, &insects);
        let found = delays(&of_insects, &INSECTS);
        let total: Option<usize> = found.iter().copied().sum();
        let stable = within(&of_insects, &STABLE);
        let of_loan = alarms(settings, &loan);
        let loan_delay = delays(&of_loan, &[LOAN])[0];
        let loan_before = of_loan.iter().filter(|row| **row < LOAN).count();
        let of_elec = alarms(settings, &elec);
        let elec_before = of_elec.iter().filter(|row| **row < ELEC).count();
        let each: Vec<String> = found.iter().map(|delay| cell(*delay)).collect();
        println!(
            "| {name} | {} | {} | {stable} | {} | {loan_before} | {} | {elec_before} |",
            each.join(" | "),
            cell(total),
            cell(loan_delay),
            cell(delays(&of_elec, &[ELEC])[0]),
        );
        if name == "adwin" {
            assert!(total.is_some_and(|rows| rows <= 258), "{found:?}");
            assert_eq!(stable, 0);
            assert!(loan_delay.is_some_and(|rows| rows <= 1_031), "{loan_delay:?}");
            assert_eq!(loan_before, 0);
        }
    }
}
