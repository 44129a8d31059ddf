//! Every kind of mistake in a schedule, and what it says.

use expect_test::expect;

use super::*;

fn errors<'a>(texts: &[&'a str], read: impl Fn(&'a str) -> Option<ScheduleError>) -> String {
    texts.iter().map(|text| format!("{}\n", read(text).expect(text))).collect()
}

#[test]
fn what_is_no_schedule_says_what_to_write() {
    let texts = [
        "",
        "dayly",
        "Daily",
        "weekley",
        "hour",
        "continous",
        "monthly",
        "sometimes",
        "@daily",
        "@yearly",
        "@reboot",
        "rate(5 minutes)",
        "at(2026-01-01T00:00:00)",
        "every 5 minutes",
    ];
    expect![[r#"
        '' is no schedule; write continuous, hourly, daily, weekly or a cron, as in '30 2 * * 1-5' or 'cron(30 2 ? * MON-FRI *)'
        'dayly' is no schedule; write daily
        'Daily' is no schedule; write daily
        'weekley' is no schedule; write weekly
        'hour' is no schedule; write hourly
        'continous' is no schedule; write continuous
        'monthly' is no schedule; write '0 0 1 * *'
        'sometimes' is no schedule; write continuous, hourly, daily, weekly or a cron, as in '30 2 * * 1-5' or 'cron(30 2 ? * MON-FRI *)'
        '@daily' is no schedule; write daily
        '@yearly' is no schedule; write '0 0 1 1 *'
        '@reboot' is no schedule; write continuous, hourly, daily, weekly or a cron, as in '30 2 * * 1-5' or 'cron(30 2 ? * MON-FRI *)'
        'rate(5 minutes)' is no schedule; write continuous, hourly, or a cron, as in '*/15 * * * *': slots stand at fixed times
        'at(2026-01-01T00:00:00)' is no schedule; write a cron, as in '30 2 * * 1-5', or ask for a single backup: lastgood backup SOURCE
        'every 5 minutes' is no schedule; write continuous, hourly, or a cron, as in '*/15 * * * *': slots stand at fixed times
    "#]].assert_eq(&errors(&texts, |text| Pattern::parse(text).err()));
}

#[test]
fn a_wrong_crontab_says_what_to_write() {
    let texts = [
        "* * * *",
        "* * * * * *",
        "0 10 * * ? *",
        "* * * * * * *",
        "61 * * * *",
        "-5 * * * *",
        "+5 * * * *",
        "1, * * * *",
        "*,5 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * janu *",
        "0 0 * * 8",
        "0 0 * * monday",
        "0 0 L * *",
        "0 0 3W * *",
        "0 0 ? * *",
        "0 0 * * 5#2",
        "0/15 * * * *",
        "*/0 * * * *",
        "0 0 1 */12 *",
        "*/90 * * * *",
        "/5 * * * *",
        "0 22-2 * * *",
        "0 0 * * 6-1",
        "0 0 */2 * 1",
        "0 0 1 * */2",
    ];
    expect![[r#"
        the cron '* * * *' can't be read: it has 4 of five fields; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
        the cron '* * * * * *' can't be read: it has six fields, and the first are no seconds here: write five, 'minute hour day month weekday', as in '* * * * *'
        the cron '0 10 * * ? *' can't be read: six fields are EventBridge's form; write cron(...) around it: 'cron(0 10 * * ? *)'
        the cron '* * * * * * *' can't be read: it has 7 of five fields; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
        the cron '61 * * * *' can't be read: '61' is no minute; write 0-59
        the cron '-5 * * * *' can't be read: a value of the minute is empty; write 0-59
        the cron '+5 * * * *' can't be read: '+5' is no minute; write 0-59
        the cron '1, * * * *' can't be read: a value of the minute is empty; write 0-59
        the cron '*,5 * * * *' can't be read: '*' in the minute '*,5' holds every other value; write it alone
        the cron '0 24 * * *' can't be read: '24' is no hour; write 0-23
        the cron '0 0 0 * *' can't be read: '0' is no day of month; write 1-31
        the cron '0 0 * 13 *' can't be read: '13' is no month; write 1-12 or JAN-DEC
        the cron '0 0 * janu *' can't be read: 'janu' is no month; write 1-12 or JAN-DEC
        the cron '0 0 * * 8' can't be read: '8' is no day of week; write 0-7 or SUN-SAT, 0 and 7 are Sunday
        the cron '0 0 * * monday' can't be read: 'monday' is no day of week; write 0-7 or SUN-SAT, 0 and 7 are Sunday
        the cron '0 0 L * *' can't be read: 'L' is not known in five fields; write 1-31, or EventBridge's six as in 'cron(0 10 L * ? *)'
        the cron '0 0 3W * *' can't be read: '3W' is not known in five fields; write 1-31, or EventBridge's six as in 'cron(0 10 L * ? *)'
        the cron '0 0 ? * *' can't be read: '?' is not known in five fields; write 1-31, or EventBridge's six as in 'cron(0 10 L * ? *)'
        the cron '0 0 * * 5#2' can't be read: '5#2' is not known in five fields; write 0-7 or SUN-SAT, 0 and 7 are Sunday, or EventBridge's six as in 'cron(0 10 L * ? *)'
        the cron '0/15 * * * *' can't be read: the minute '0/15' has a step but no range; write '0-59/15'
        the cron '*/0 * * * *' can't be read: '0' is no step of the minute; write 1-59, as in '*/2'
        the cron '0 0 1 */12 *' can't be read: '12' is no step of the month; write 1-11, as in '*/2'
        the cron '*/90 * * * *' can't be read: '90' is no step of the minute; write 1-59, as in '*/2'
        the cron '/5 * * * *' can't be read: a value of the minute is empty; write 0-59
        the cron '0 22-2 * * *' can't be read: the hour '22-2' runs backwards; write '22-23,0-2'
        the cron '0 0 * * 6-1' can't be read: the day of week '6-1' runs backwards; write '6-7,0-1'
        the cron '0 0 */2 * 1' can't be read: '*/' in one day field beside the other day field means both in some crontabs and either in others; write the days out, as in '1,11,21,31'
        the cron '0 0 1 * */2' can't be read: '*/' in one day field beside the other day field means both in some crontabs and either in others; write the days out, as in '1,11,21,31'
    "#]].assert_eq(&errors(&texts, |text| Pattern::parse(text).err()));
}

#[test]
fn a_wrong_cron_of_eventbridge_says_what_to_write() {
    let texts = [
        "cron(0 10 * * ? *",
        "cron(0 10 * * *)",
        "cron()",
        "cron(0 0 10 * * ? *)",
        "cron(0 10 * * * *)",
        "cron(0 10 1 * MON *)",
        "cron(0 10 * * MON *)",
        "cron(0 10 ? * ? *)",
        "cron(? 10 * * ? *)",
        "cron(60 10 * * ? *)",
        "cron(0 10 LW * ? *)",
        "cron(0 10 32W * ? *)",
        "cron(0 10 1,15W * ? *)",
        "cron(0 10 15,L * ? *)",
        "cron(0 10 ? * 0 *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 ? * 3#1,6#3 *)",
        "cron(0 10 ? * 3#6 *)",
        "cron(0 10 ? * 2/2 *)",
        "cron(0 10 ? * 8L *)",
        "cron(0/60 10 * * ? *)",
        "cron(0 10 * * ? 1969)",
        "cron(0 10 * * ? 2200)",
        "cron(0 10 * * ? 2030-2026)",
    ];
    expect![[r#"
        the cron 'cron(0 10 * * ? *' can't be read: its ')' is missing; write it at the end
        the cron 'cron(0 10 * * *)' can't be read: the year is missing; write '*' as the sixth field, or leave out cron(...) if it is a crontab's five
        the cron 'cron()' can't be read: it has 0 of six fields; write minute, hour, day of month, month, day of week and year, as in 'cron(0 10 * * ? *)'
        the cron 'cron(0 0 10 * * ? *)' can't be read: it has 7 of six fields; write minute, hour, day of month, month, day of week and year, as in 'cron(0 10 * * ? *)'
        the cron 'cron(0 10 * * * *)' can't be read: neither day field is '?'; write ? in one of them, as in 'cron(0 10 * * ? *)'
        the cron 'cron(0 10 1 * MON *)' can't be read: neither day field is '?'; write ? in one of them, as in 'cron(0 10 1 * ? *)'
        the cron 'cron(0 10 * * MON *)' can't be read: neither day field is '?'; write ? in one of them, as in 'cron(0 10 ? * MON *)'
        the cron 'cron(0 10 ? * ? *)' can't be read: '?' is in both day fields; write '*' in one of them
        the cron 'cron(? 10 * * ? *)' can't be read: '?' has no place in the minute; write 0-59
        the cron 'cron(60 10 * * ? *)' can't be read: '60' is no minute; write 0-59
        the cron 'cron(0 10 LW * ? *)' can't be read: 'LW' is not in EventBridge's cron; write 'L' for the last day, or a day as in '28W' for the weekday nearest to it
        the cron 'cron(0 10 32W * ? *)' can't be read: '32' is no day of month; write 1-31, 'L', '3W' or '?'
        the cron 'cron(0 10 1,15W * ? *)' can't be read: '1,15' is no day of month; write 1-31, 'L', '3W' or '?'
        the cron 'cron(0 10 15,L * ? *)' can't be read: 'L' is no day of month; write 1-31, 'L', '3W' or '?'
        the cron 'cron(0 10 ? * 0 *)' can't be read: '0' is no day of week; write 1-7 or SUN-SAT, 1 is Sunday, 'L', '6L', '3#2' or '?'
        the cron 'cron(0 10 ? * 8 *)' can't be read: '8' is no day of week; write 1-7 or SUN-SAT, 1 is Sunday, 'L', '6L', '3#2' or '?'
        the cron 'cron(0 10 ? * 3#1,6#3 *)' can't be read: the day of week '3#1,6#3' has more than one '#' or a list; write one, as in '3#2'
        the cron 'cron(0 10 ? * 3#6 *)' can't be read: '6' in '3#6' counts no week of a month; write 1-5, as in '3#2' for the second Tuesday
        the cron 'cron(0 10 ? * 2/2 *)' can't be read: the day of week '2/2' has a step; write the days out, as in 'MON,WED,FRI'
        the cron 'cron(0 10 ? * 8L *)' can't be read: '8' is no day of week; write 1-7 or SUN-SAT, 1 is Sunday, 'L', '6L', '3#2' or '?'
        the cron 'cron(0/60 10 * * ? *)' can't be read: '60' is no step of the minute; write 1-59, as in '*/2'
        the cron 'cron(0 10 * * ? 1969)' can't be read: '1969' is no year; write 1970-2199
        the cron 'cron(0 10 * * ? 2200)' can't be read: '2200' is no year; write 1970-2199
        the cron 'cron(0 10 * * ? 2030-2026)' can't be read: the year '2030-2026' runs backwards; write '2026-2030'
    "#]].assert_eq(&errors(&texts, |text| Pattern::parse(text).err()));
}

#[test]
fn what_is_no_zone_says_what_to_write() {
    let texts = [
        "",
        "Europe/Berln",
        "Amercia/New_York",
        "New York",
        "berlin",
        "Kathmando",
        "CEST",
        "Mars/Olympus",
        "Etc/Unknown",
        "+02:00",
        "UTC+2",
        "GMT -3",
        "0530",
    ];
    expect![[r#"
        '' is no time zone; write a name of the IANA time zone database, as in 'Europe/Berlin', or 'UTC'
        'Europe/Berln' is no time zone; the nearest name that is one is 'Europe/Berlin'
        'Amercia/New_York' is no time zone; the nearest name that is one is 'America/New_York'
        'New York' is no time zone; the nearest name that is one is 'America/New_York'
        'berlin' is no time zone; the nearest name that is one is 'Europe/Berlin'
        'Kathmando' is no time zone; the nearest name that is one is 'Asia/Kathmandu'
        'CEST' is no time zone; write a name of the IANA time zone database, as in 'Europe/Berlin', or 'UTC'
        'Mars/Olympus' is no time zone; write a name of the IANA time zone database, as in 'Europe/Berlin', or 'UTC'
        'Etc/Unknown' is no time zone; write a name of the IANA time zone database, as in 'Europe/Berlin', or 'UTC'
        '+02:00' is no time zone; an offset knows no changes of the clock; write a place, as in 'Europe/Berlin', or 'UTC'
        'UTC+2' is no time zone; an offset knows no changes of the clock; write a place, as in 'Europe/Berlin', or 'UTC'
        'GMT -3' is no time zone; an offset knows no changes of the clock; write a place, as in 'Europe/Berlin', or 'UTC'
        '0530' is no time zone; an offset knows no changes of the clock; write a place, as in 'Europe/Berlin', or 'UTC'
    "#]].assert_eq(&errors(&texts, |text| Zone::parse(text).err()));
    for name in ["UTC", "Europe/Berlin", "america/new_york", "Etc/GMT+5", "GMT"] {
        assert_eq!(Zone::parse(name).expect(name).as_str().to_lowercase(), name.to_lowercase());
    }
}

#[test]
fn what_never_comes_says_what_to_write() {
    let cases = [
        ("0 0 31 2 *", None, None),
        ("0 0 30 2 *", Some("2027-01-01T00:00:00Z"), None),
        ("cron(0 0 31 4,6,9,11 ? *)", None, None),
        ("cron(0 0 29 2 ? 2027)", None, None),
        ("cron(0 0 * * ? 2020-2025)", None, None),
        ("cron(0 0 * * ? 2027)", Some("2028-03-01T00:00:00Z"), None),
        ("daily", Some("2027-01-01T00:00:00Z"), Some("2027-01-01T00:00:00Z")),
        ("daily", Some("2027-01-02T00:00:00Z"), Some("2027-01-01T00:00:00Z")),
        ("daily", Some("2027-01-01T00:00:01Z"), Some("2027-01-02T00:00:00Z")),
        ("0 0 29 2 *", None, Some("2028-02-29T00:00:00Z")),
        ("hourly", Some("2020-01-01T00:00:00Z"), Some("2021-01-01T00:00:00Z")),
    ];
    let mut errors = String::new();
    let time = |text: &str| text.parse::<Time>().expect("a time");
    for (pattern, from, until) in cases {
        let pattern = Pattern::parse(pattern).expect(pattern);
        let checked = Schedule::checked(pattern, Zone::default(), from.map(time), until.map(time));
        errors += &format!("{}\n", checked.expect_err("no slot"));
    }
    expect![[r#"
        '0 0 31 2 *' never comes: the calendar has no such day; write one that its months and years have
        '0 0 30 2 *' never comes: the calendar has no such day; write one that its months and years have
        'cron(0 0 31 4,6,9,11 ? *)' never comes: the calendar has no such day; write one that its months and years have
        'cron(0 0 29 2 ? 2027)' never comes: the calendar has no such day; write one that its months and years have
        'cron(0 0 * * ? 2020-2025)' never comes: its last slot was 2025-12-31T00:00:00Z; write a year to come, or '*' for every year
        'cron(0 0 * * ? 2027) from 2028-03-01T00:00:00Z' has no slot between its bounds: its last slot is 2027-12-31T00:00:00Z; begin at or before that
        'daily from 2027-01-01T00:00:00Z until 2027-01-01T00:00:00Z' has no slot between its bounds: write an end after 2027-01-01T00:00:00Z
        'daily from 2027-01-02T00:00:00Z until 2027-01-01T00:00:00Z' has no slot between its bounds: write an end after 2027-01-02T00:00:00Z
        'daily from 2027-01-01T00:00:01Z until 2027-01-02T00:00:00Z' has no slot between its bounds: its first slot would be 2027-01-02T00:00:00Z; write an end after that
        '0 0 29 2 * until 2028-02-29T00:00:00Z' has no slot between its bounds: its first slot would be 2028-02-29T00:00:00Z; write an end after that
        'hourly from 2020-01-01T00:00:00Z until 2021-01-01T00:00:00Z' has no slot between its bounds: write an end after 2026-01-01T00:00:00Z
    "#]].assert_eq(&errors);
    let unread = Schedule::checked(Pattern::Cron("61 * * * *".to_owned()), Zone::default(), None, None);
    assert!(matches!(unread, Err(ScheduleError::Unreadable { .. })));
}
