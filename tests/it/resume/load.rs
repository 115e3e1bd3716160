//! What following turns of another instance costs Redis.

use std::time::Duration;

use super::support::{Instance, resume, say};
use crate::support::redis::RedisServer;

const FOLLOWERS: usize = 100;

/// For how long commands are counted.
const WATCHED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn followers_to_whom_nothing_is_said_ask_redis_about_once_a_second() {
    let redis = RedisServer::start().await;
    let all_at_once = |config: &mut db_chat::config::Config| {
        config.limits.questions_in_flight_max = FOLLOWERS;
    };
    let mut one = Instance::start_with(&redis.url(), all_at_once).await;
    let two = Instance::start_with(&redis.url(), all_at_once).await;
    let (mut asker, mut follower) = (one.server.connect().await, two.server.connect().await);
    let mut turns = Vec::new();
    for number in 0..FOLLOWERS {
        asker.ask(&format!("q{number}"), None).await;
        turns.push(one.playbook.next().await);
    }
    let running = commands(&redis, WATCHED).await;
    for (number, turn) in turns.iter().enumerate() {
        resume(&mut follower, &format!("q{number}"), 0).await;
        say(turn, "a").await;
        assert_eq!(follower.frame().await["token"], "a");
    }
    let followed = commands(&redis, WATCHED).await;
    println!(
        "commands a second: {running} with {FOLLOWERS} turns, {followed} with as many followers"
    );
    // A look is one script of seven commands, which count one by one. A machine that is too slow for them makes it fewer.
    let looks_max = FOLLOWERS as u64 * 8 * 3 / 2;
    assert!(followed <= running + looks_max, "{running} {followed}");

    // And yet what is said comes.
    for turn in &turns {
        say(turn, "b").await;
        assert_eq!(follower.frame().await["token"], "b");
    }
}

/// Commands that Redis carries out in a second, those in scripts included.
async fn commands(redis: &RedisServer, watched: Duration) -> u64 {
    let processed = async || {
        let stats = redis.command(&["INFO", "stats"]).await;
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.and_then(|count| count.trim().parse::<u64>().ok())
            .expect("a count")
    };
    let before = processed().await;
    // This is about a rate, so time has to pass.
    tokio::time::sleep(watched).await;
    (processed().await - before) / watched.as_secs()
}
