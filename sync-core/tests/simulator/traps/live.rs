//! Traps in what is heard live: frames that are believed although something is missing before them or in them, and a
//! connection that lives and tells nothing.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use sync_core::protocol::{LiveFrame, PullPage, Subscribe};
use sync_core::transport::{LiveNews, LiveStream, Transport};
use sync_core::{CursorToken, Seq, SpaceId};

use super::way::WayTrap;

/// The news with its frame changed, if it is one.
fn changed(news: LiveNews, change: impl FnOnce(&mut Option<CursorToken>, &mut PullPage)) -> LiveNews {
    let LiveNews::Frame(frame) = news else { return news };
    let (mut from, mut page) = (frame.from.clone(), frame.page.clone());
    change(&mut from, &mut page);
    LiveNews::Frame(Arc::new(LiveFrame::new(frame.space.clone(), from, page)))
}

/// T32: each frame is taken for the one that comes next. On this line every third one is lost, which is no mistake of anyone's.
#[derive(Debug)]
pub(super) struct FromNotCompared;

impl WayTrap for FromNotCompared {
    fn live(&self, way: &dyn Transport, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        let lossy = way.live(space, ask)?.enumerate().filter_map(|(idx, news)| async move {
            let is_lost = idx % 3 == 2 && matches!(news, Ok(LiveNews::Frame(_)));
            (!is_lost).then_some(news)
        });
        let believed = lossy.scan(ask.after.clone(), |here, news| {
            let news = news.map(|news| changed(news, |from, page| *from = here.replace(page.cursor.clone())));
            std::future::ready(Some(news))
        });
        Some(believed.boxed())
    }
}

/// T33: a subscription begins where the space stands, and not where the reader stands.
#[derive(Debug)]
pub(super) struct BeginsAtTheHead;

impl WayTrap for BeginsAtTheHead {
    fn live(&self, way: &dyn Transport, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        let from_head = way.live(space, ask)?.enumerate().map(|(idx, news)| {
            let is_first = idx == 0;
            news.map(|news| {
                changed(news, |_, page| {
                    if is_first {
                        (page.changes, page.has_more) = (Vec::new(), false);
                    }
                })
            })
        });
        Some(from_head.boxed())
    }
}

/// T7: what is heard live is dropped now and then, and its cursor is kept.
#[derive(Debug)]
pub(super) struct FrameDropped;

impl WayTrap for FrameDropped {
    fn live(&self, way: &dyn Transport, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        let emptied = way.live(space, ask)?.enumerate().map(|(idx, news)| {
            news.map(|news| {
                changed(news, |_, page| {
                    if idx % 3 == 2 {
                        page.changes.clear();
                    }
                })
            })
        });
        Some(emptied.boxed())
    }
}

/// T27: the connection says that it lives, and never anything else.
#[derive(Debug)]
pub(super) struct OnlyAlive;

impl WayTrap for OnlyAlive {
    fn live(&self, way: &dyn Transport, space: &SpaceId, ask: &Subscribe) -> Option<LiveStream> {
        let alive = way
            .live(space, ask)?
            .filter_map(|news| async move { news.is_ok().then_some(Ok(LiveNews::Alive(Some(Seq::ZERO)))) });
        Some(alive.chain(stream::pending()).boxed())
    }
}
