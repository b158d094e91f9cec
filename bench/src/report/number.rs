//! Numbers as people read them.

/// A number with three digits that matter, or with its thousands apart.
#[must_use]
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 99.95 => thousands(value),
        _ if size >= 9.995 => trimmed(format!("{value:.1}")),
        _ if size >= 0.095 || size == 0.0 => trimmed(format!("{value:.2}")),
        _ => trimmed(format!("{value:.3}")),
    }
}

/// So many times as much.
#[must_use]
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 9.95 => format!("{}×", thousands(ratio)),
        _ if ratio >= 1.995 => format!("{ratio:.1}×"),
        _ if ratio >= 0.095 || ratio <= 0.0 => format!("{ratio:.2}×"),
        _ => format!("1/{}", thousands(ratio.recip())),
    }
}

/// A whole number with its thousands apart.
#[must_use]
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn trimmed(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Round numbers from zero to at least `most`, about four of them.
#[must_use]
pub(super) fn steps(most: f64) -> Vec<f64> {
    if most <= 0.0 || !most.is_finite() {
        return vec![0.0, 1.0];
    }
    let power = 10f64.powf((most / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| step * 4.0 >= most * 0.999).unwrap_or(power * 10.0);
    let mut steps = vec![0.0];
    let mut count = 0.0;
    while count * step < most * 0.999 {
        count += 1.0;
        steps.push(count * step);
    }
    steps
}

/// The powers of ten from the last one not above `least` to the first one not below `most`.
#[must_use]
pub(super) fn powers(least: f64, most: f64) -> Vec<f64> {
    let mut powers = vec![10f64.powf(least.log10().floor())];
    while let Some(last) = powers.last().copied()
        && last < most * 0.999
        && powers.len() < 16
    {
        powers.push(last * 10.0);
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |value, text| assert_eq!(short(value), text);
        check(0.0, "0");
        check(0.0123, "0.012");
        check(0.5, "0.5");
        check(7.251, "7.25");
        check(27.04, "27");
        check(123_456.7, "123,457");
        assert_eq!(
            [0.0072, 0.873, 1.0, 1.149, 2.41, 9.96, 3_324.0].map(times),
            ["1/139", "0.87×", "1.00×", "1.15×", "2.4×", "10×", "3,324×"]
        );
        assert_eq!(thousands(-1_000.0), "-1,000");
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(steps(33.0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(steps(8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(steps(0.0), [0.0, 1.0]);
        assert_eq!(powers(7.0, 3_324.0), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
    }
}
