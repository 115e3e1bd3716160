//! Whose a conversation is, and the list of one's own: over both stores.

use super::*;

pub(super) async fn a_conversation_is_its_owners_alone(place: Place) {
    let store = place.open(Limits::default()).await;
    let title = Title::parse("Mine now").unwrap();
    for owner in [ada(), grace(), nobody()] {
        let id = ConversationId::random();
        store.append(&owner, id, turn("first")).await.unwrap();
        for other in [ada(), grace(), nobody()] {
            if other == owner {
                continue;
            }
            assert!(is_not_owned(store.load(&other, id).await));
            assert!(is_not_owned(store.append(&other, id, turn("x")).await));
            assert!(is_not_owned(store.rename(&other, id, &title).await));
            assert!(is_not_owned(store.forget(&other, id).await));
            assert!(
                store
                    .list(&other)
                    .await
                    .unwrap()
                    .iter()
                    .all(|listed| listed.id != id)
            );
        }
        let conversation = store.load(&owner, id).await.unwrap().unwrap();
        assert_eq!(conversation.turns, [turn("first")]);
        assert_eq!(conversation.title, turn("first").question);
        assert!(store.rename(&owner, id, &title).await.unwrap());
        let conversation = store.load(&owner, id).await.unwrap().unwrap();
        assert_eq!(conversation.title, "Mine now");
        assert!(store.forget(&owner, id).await.unwrap());
        assert!(!store.rename(&owner, id, &title).await.unwrap());
        // Forgotten is forgotten: whoever comes next begins anew.
        store.append(&ada(), id, turn("again")).await.unwrap();
        let conversation = store.load(&ada(), id).await.unwrap().unwrap();
        assert_eq!(conversation.title, turn("again").question);
    }
}

pub(super) async fn of_two_who_begin_the_same_conversation_at_once_one_gets_it(place: Place) {
    let shared = place.open(Limits::default()).await;
    let other = match place.redis {
        Some(_) => place.open(Limits::default()).await,
        None => Arc::clone(&shared),
    };
    for _ in 0..20 {
        let id = ConversationId::random();
        let (ada, grace) = (ada(), grace());
        let (first, second) = tokio::join!(
            shared.append(&ada, id, turn("a")),
            other.append(&grace, id, turn("g"))
        );
        let (winner, loser) = match (first, second) {
            (Ok(()), Err(StoreError::NotOwned)) => (ada, grace),
            (Err(StoreError::NotOwned), Ok(())) => (grace, ada),
            both => panic!("{both:?}"),
        };
        assert_eq!(
            shared.load(&winner, id).await.unwrap().unwrap().turns.len(),
            1
        );
        assert!(is_not_owned(shared.load(&loser, id).await));
        assert_eq!(
            shared
                .list(&loser)
                .await
                .unwrap()
                .iter()
                .filter(|c| c.id == id)
                .count(),
            0
        );
    }
}

fn asked_at(seconds: i64, name: &str) -> StoredTurn {
    StoredTurn {
        asked_at: DateTime::from_timestamp(seconds, 0).unwrap(),
        ..turn(name)
    }
}

pub(super) async fn a_list_has_the_owners_conversations_and_the_one_used_last_on_top(place: Place) {
    let store = place.open(Limits::default()).await;
    let ids: Vec<_> = (0..4).map(|_| ConversationId::random()).collect();
    for (index, id) in (0..).zip(&ids[..3]) {
        let turn = asked_at(100 + index, &format!("q{index}"));
        store.append(&ada(), *id, turn).await.unwrap();
    }
    store
        .append(&ada(), ids[0], asked_at(500, "later"))
        .await
        .unwrap();
    store
        .append(&grace(), ids[3], turn("elsewhere"))
        .await
        .unwrap();
    store
        .append(&nobody(), ConversationId::random(), turn("n"))
        .await
        .unwrap();
    let title = Title::parse("Renamed").unwrap();
    store.rename(&ada(), ids[1], &title).await.unwrap();
    assert!(store.forget(&ada(), ids[2]).await.unwrap());

    let listed = store.list(&ada()).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0].id, ids[0]);
    assert_eq!(listed[0].title, turn("q0").question);
    assert_eq!(listed[0].created_at.timestamp(), 100);
    assert_eq!(listed[0].updated_at.timestamp(), 500);
    assert_eq!(listed[0].messages_count, 4);
    assert_eq!(
        (listed[1].id, listed[1].title.as_str()),
        (ids[1], "Renamed")
    );
    assert_eq!(store.list(&grace()).await.unwrap().len(), 1);
    assert_eq!(store.list(&nobody()).await.unwrap(), []);
}

pub(super) async fn a_list_is_bounded(place: Place) {
    let store = place.open(Limits::default()).await;
    let ids: Vec<_> = (0..LISTED_MAX + 5)
        .map(|_| ConversationId::random())
        .collect();
    for (index, id) in (0..).zip(&ids) {
        store
            .append(&ada(), *id, asked_at(index, "q"))
            .await
            .unwrap();
    }
    let listed: Vec<_> = store
        .list(&ada())
        .await
        .unwrap()
        .iter()
        .map(|c| c.id)
        .collect();
    let newest: Vec<_> = ids.iter().rev().take(LISTED_MAX).copied().collect();
    assert_eq!(listed, newest);
    assert!(store.load(&ada(), ids[0]).await.unwrap().is_some());
}
