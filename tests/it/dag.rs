//! The picture of a graph at the console's door: a graph as text in, a picture out; and what holds for every graph.

use cuelight_console::{
    DagGraph, DagNode, DagView, Direction, Fate, Fates, FoldKey, FoldKind, Folding, Glyphs, Layout, Mark,
    Notes, Place, Shown, Theme, Zoom, fold, layout, neighbourhood, paint, paint_map, paint_with, snap,
    to_text,
};
use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};

/// Reads `a -> b c; load*48 -> c; b=runs 4m; b in g; path a b`: edges, copies, states with notes, groups, and the
/// critical path. Nodes are in the order they are first named; all before the first state are done if `=` says so.
fn graph(text: &str) -> DagGraph {
    let mut graph = DagGraph::default();
    for statement in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        if let Some((from, to)) = statement.split_once("->") {
            let from: Vec<u32> =
                from.split_whitespace().flat_map(|name| nodes_of(&mut graph, name)).collect();
            let to: Vec<u32> = to.split_whitespace().flat_map(|name| nodes_of(&mut graph, name)).collect();
            graph.edges.extend(from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))));
        } else if let Some((names, group)) = statement.split_once(" in ") {
            let group = nodes_of(&mut graph, group)[0];
            for node in
                names.split_whitespace().flat_map(|name| nodes_of(&mut graph, name)).collect::<Vec<_>>()
            {
                graph.nodes[node as usize].group = Some(group);
            }
        } else if let Some((names, state)) = statement.split_once('=') {
            let (word, why) = state.trim().split_once(' ').unwrap_or((state.trim(), ""));
            let mark = Mark::all().find(|mark| mark.word() == word).expect("a state by its short word");
            for node in
                names.split_whitespace().flat_map(|name| nodes_of(&mut graph, name)).collect::<Vec<_>>()
            {
                let node = &mut graph.nodes[node as usize];
                (node.mark, node.hot) = (mark, mark.urgency() > Mark::Ready.urgency());
                why.clone_into(&mut node.note);
            }
        } else if let Some(names) = statement.strip_prefix("path ") {
            for node in
                names.split_whitespace().flat_map(|name| nodes_of(&mut graph, name)).collect::<Vec<_>>()
            {
                graph.nodes[node as usize].critical = true;
            }
        } else {
            nodes_of(&mut graph, statement);
        }
    }
    graph
}

/// The numbers of `name`, or of the copies `name*3`; `name[1]` is one of them. What is new is added, to be done.
fn nodes_of(graph: &mut DagGraph, name: &str) -> Vec<u32> {
    let (base, copies) =
        name.split_once('*').map_or((name, None), |(base, count)| (base, count.parse().ok()));
    let labels: Vec<String> = copies.map_or(vec![base.to_owned()], |count: u32| {
        (0..count).map(|index| format!("{base}[{index}]")).collect()
    });
    let template = labels.first().and_then(|label| graph.nodes.iter().position(|node| node.label == *label));
    let template = u32::try_from(template.unwrap_or(graph.nodes.len())).expect("small");
    let mut number = |label: String| {
        let known = graph.nodes.iter().position(|node| node.label == label).unwrap_or_else(|| {
            let mut node = DagNode::new(label, Mark::Done);
            node.copy_of = copies.map(|_| template);
            graph.nodes.push(node);
            graph.nodes.len() - 1
        });
        u32::try_from(known).expect("small")
    };
    labels.into_iter().map(&mut number).collect()
}

fn drawn(graph: &DagGraph, view: &DagView, glyphs: Glyphs, area: Rect) -> (Shown, Layout, Buffer) {
    let shown = fold(graph, view);
    let places = layout(&shown, None, view.zoom);
    let mut buf = Buffer::empty(area);
    paint(&places, &shown, view, &Theme::for_snapshots(), glyphs, (0, 0), area, &mut buf);
    (shown, places, buf)
}

fn picture(text: &str, view: &DagView) -> String {
    let graph = graph(text);
    let (_, places, _) = drawn(&graph, view, Glyphs::default(), Rect::new(0, 0, 1, 1));
    let (width, height) = places.size();
    let size = |cells: i32| u16::try_from(cells).expect("small");
    let (_, _, buf) = drawn(&graph, view, Glyphs::default(), Rect::new(0, 0, size(width), size(height)));
    save_svg(&graph, view, &buf);
    to_text(&buf)
}

/// `CUELIGHT_PICTURES=dir` writes every picture of these tests as SVG, to be looked at.
fn save_svg(graph: &DagGraph, view: &DagView, buf: &Buffer) {
    #[expect(clippy::disallowed_methods, reason = "asked for by who looks at the pictures")]
    let Ok(dir) = std::env::var("CUELIGHT_PICTURES") else {
        return;
    };
    let area = buf.area;
    let shown = fold(graph, view);
    let places = layout(&shown, None, view.zoom);
    let theme = Theme::built_in("dark").expect("shipped");
    let mut buf = Buffer::empty(area);
    paint(&places, &shown, view, &theme, Glyphs::default(), (0, 0), area, &mut buf);
    let name = std::thread::current().name().unwrap_or("main").replace("::", "-");
    let path = format!("{dir}/{name}-{:x}.svg", places.order().len() * 7 + view.zoom as usize);
    std::fs::write(path, cuelight_console::to_svg(&buf, &theme)).expect("the directory is there");
}

/// A picture of all of a graph in the room that the view gives it.
fn check_in(graph: &DagGraph, view: &DagView) -> String {
    let (_, places, _) = drawn(graph, view, Glyphs::default(), Rect::new(0, 0, 1, 1));
    let (width, height) = places.size();
    let size = |cells: i32| u16::try_from(cells).expect("small");
    assert!(view.room == 0 || width <= i32::from(view.room), "{width} columns in {}", view.room);
    to_text(&drawn(graph, view, Glyphs::default(), Rect::new(0, 0, size(width), size(height))).2)
}

fn check(text: &str) -> String {
    picture(text, &DagView::default())
}

const SETTLE: &str = "fetch_batch -> check_fraud validate*48 fx_rates; check_fraud -> score_fraud; score_fraud -> sign_fraud; \
    validate*48 sign_fraud fx_rates -> build_refunds; build_refunds -> approve_refunds; approve_refunds -> pay_out; \
    pay_out -> notify*48 ledger_post; notify*48 ledger_post -> close; \
    approve_refunds=gate 4m 1/2; pay_out notify*48 ledger_post close=todo; \
    path fetch_batch validate*48 build_refunds approve_refunds";

#[test]
fn a_diamond() {
    assert_snapshot!(check("a -> b c; b -> d; c -> d"));
}

#[test]
fn a_fan_of_48_is_one_node_and_the_failed_one_stays_out() {
    assert_snapshot!(check("plan -> load*48; load*48 -> merge; load[7]=failed 3/3; load[9]=runs 12s"));
}

#[test]
fn of_many_copies_the_whole_count_is_read() {
    let view = DagView { wide: true, ..DagView::default() };
    for copies in [20, 200, 1000] {
        let text = picture(&format!("count*{copies} -> sum"), &view);
        assert!(text.contains(&format!("{copies}/{copies} ")), "{text}");
    }
}

#[test]
fn a_long_chain_is_one_node() {
    let chain = (0..20).map(|step| format!("s{step} -> s{};", step + 1)).collect::<Vec<_>>().concat();
    assert_snapshot!(check(&format!("{chain} s20=runs")));
}

#[test]
fn the_settlement_of_the_mock_up() {
    assert_snapshot!(check(SETTLE));
    assert_snapshot!(picture(SETTLE, &DagView { zoom: Zoom::Cards, ..DagView::default() }));
    assert_snapshot!(picture(SETTLE, &DagView { zoom: Zoom::Outline, ..DagView::default() }));
    assert_snapshot!(picture(SETTLE, &DagView { zoom: Zoom::Dots, ..DagView::default() }));
}

#[test]
fn layers_with_long_edges() {
    assert_snapshot!(check("a -> b e; b -> c; c -> d; d -> e; a -> f; f -> e d; g -> f c"));
}

#[test]
fn edges_that_change_places_do_not_touch() {
    assert_snapshot!(check("a -> y; b -> x; a -> z; c -> x"));
    assert_snapshot!(check("a -> r q; b -> p; c -> q p; d -> r"));
}

#[test]
fn open_groups_are_frames() {
    let text = "plan -> load; load_a load_b load_c in load; load_a -> load_b load_c; load -> report; load_b=runs 2/9; \
        report=todo";
    assert_snapshot!(check(text));
    assert_snapshot!(picture(text, &DagView { zoom: Zoom::Cards, ..DagView::default() }));
}

#[test]
fn ascii_says_the_same() {
    let graph = graph("a -> b c; b -> d; c -> d; d=gate; a -> load*9; load*9 -> d; k -> d");
    let view = DagView { folding: Folding::All, ..DagView::default() };
    let (_, _, buf) = drawn(&graph, &view, Glyphs { ascii: true }, Rect::new(0, 0, 60, 8));
    let text = to_text(&buf);
    assert!(text.is_ascii(), "{text}");
    assert_snapshot!(text);
}

#[test]
fn the_selected_node_and_its_edges_stand_out() {
    let graph = graph("a -> b c; b -> d; c -> d; b=failed");
    let view = DagView { selected: Some(1), ..DagView::default() };
    let (_, _, buf) = drawn(&graph, &view, Glyphs::default(), Rect::new(0, 0, 30, 4));
    assert_snapshot!(snap(&buf, &Theme::for_snapshots()));
}

#[test]
fn the_map_shows_all_of_a_picture_and_the_window_in_it() {
    let graph = graph(SETTLE);
    let view = DagView { folding: Folding::Nothing, ..DagView::default() };
    let shown = fold(&graph, &view);
    let places = layout(&shown, None, view.zoom);
    let area = Rect::new(0, 0, 16, 6);
    let mut buf = Buffer::empty(area);
    let theme = Theme::for_snapshots();
    let window = Place { x: 0, y: 0, width: 60, height: 20 };
    paint_map(&places, &shown, window, (&theme, Glyphs::default()), area, &mut buf);
    assert_snapshot!(snap(&buf, &theme));
}

#[test]
fn folds_open_and_close_where_the_cursor_is() {
    let graph = graph("plan -> load*48; load*48 -> merge");
    let mut view = DagView { selected: Some(1), ..DagView::default() };
    let shown = fold(&graph, &view);
    assert_eq!((shown.nodes.len(), shown.folded()), (3, 1));
    assert!(view.toggle_fold(&shown));
    let shown = fold(&graph, &view);
    assert_eq!((shown.nodes.len(), shown.folded()), (50, 0));
    view.selected = Some(17);
    assert!(view.toggle_fold(&shown));
    let shown = fold(&graph, &view);
    assert_eq!((shown.nodes.len(), view.selected), (3, Some(1)));
    view.open_all();
    assert_eq!(fold(&graph, &view).nodes.len(), 50);
    view.close_all();
    assert_eq!(fold(&graph, &view).nodes.len(), 3);
}

#[test]
fn what_is_hot_or_selected_is_never_folded_away() {
    let graph = graph("plan -> load*48; load*48 -> merge; load[3]=gate; load[5]=retry");
    let view = DagView { selected: Some(21), ..DagView::default() };
    let shown = fold(&graph, &view);
    for node in [4, 6, 21] {
        let spot = shown.spot_of(node).expect("shown");
        assert_eq!(shown.nodes[spot as usize].key, FoldKey { kind: FoldKind::Step, node });
    }
}

#[test]
fn a_hundred_running_copies_are_counted_and_the_failed_one_stands_apart() {
    let graph = graph("plan -> load*100; load*100 -> merge; load*100=runs; load[7]=failed");
    let shown = fold(&graph, &DagView::default());
    assert_eq!(shown.nodes.iter().map(|node| node.count).collect::<Vec<_>>(), [1, 99, 1, 1]);
}

#[test]
fn a_gate_stands_in_no_fold_whatever_its_state() {
    let chain = (0..30).map(|step| format!("s{step} -> s{};", step + 1)).collect::<Vec<_>>().concat();
    let mut graph = graph(&format!("{chain} s30 -> ask*3; ask*3 -> last; s15=runs; s22 s30 ask*3 last=todo"));
    let gates: Vec<u32> = (0..34).filter(|node| [8, 22, 31, 32, 33].contains(node)).collect();
    for node in &gates {
        graph.nodes[*node as usize].gate = true;
    }
    let shown = fold(&graph, &DagView::default());
    assert!(
        shown.nodes.iter().filter(|node| node.key.kind == FoldKind::Chain).count() >= 3,
        "the rest is folded"
    );
    for node in gates {
        let spot = shown.spot_of(node).expect("shown");
        assert_eq!(shown.nodes[spot as usize].key, FoldKey { kind: FoldKind::Step, node });
    }
}

/// Twelve lanes of nine steps each, half of them done; in one a step runs.
fn lanes() -> DagGraph {
    let lane = |n: u32| {
        format!(
            "root -> a{n}; a{n} -> b{n} c{n}; b{n} c{n} -> d{n}; d{n} -> e{n} f{n}; e{n} f{n} -> g{n}; \
             g{n} -> h{n} i{n}; h{n} i{n} -> end; e{n} f{n} g{n} h{n} i{n}=todo;"
        )
    };
    let text = (0..12).map(lane).collect::<Vec<_>>().concat();
    graph(&format!("{text} end=todo; d3=runs"))
}

#[test]
fn quiet_steps_of_a_level_are_counted_and_neighbours_of_what_runs_are_not() {
    let shown = fold(&lanes(), &DagView::default());
    let counted = shown.nodes.iter().filter(|node| matches!(node.key.kind, FoldKind::Level(_)));
    let counted: Vec<String> = counted.map(|node| node.title(Glyphs::default())).collect();
    assert_eq!(counted, ["12 done", "22 done", "11 done", "22 to do", "12 to do", "24 to do"]);
    let alone = shown.nodes.iter().filter(|node| node.key.kind == FoldKind::Step);
    let alone: Vec<&str> = alone.map(|node| node.label.as_str()).collect();
    assert_eq!(alone, ["root", "end", "b3", "c3", "d3", "e3", "f3"]);
    assert_snapshot!(check_in(&lanes(), &DagView { room: 78, ..DagView::default() }));
}

#[test]
fn a_state_change_moves_nothing() {
    let text = "a -> b c d; b -> e; c -> e; d -> f; e -> f";
    let (before, after) = (graph(text), graph(&format!("{text}; b=skip; f=todo")));
    let view = DagView::default();
    let (before, after) = (fold(&before, &view), fold(&after, &view));
    assert!(layout(&before, None, view.zoom).fits(&after));
    assert_eq!(layout(&before, None, view.zoom), layout(&after, None, view.zoom));
}

#[test]
fn nodes_keep_the_order_they_had() {
    let view = DagView::default();
    let rows = |text: &str, previous: Option<&Layout>| {
        let places = layout(&fold(&graph(text), &view), previous.map(Layout::order), view.zoom);
        ((3..5).map(|spot| places.rect_of(spot).expect("shown").y).is_sorted(), places)
    };
    assert!(rows("a -> b c d e; x", None).0);
    let (in_file_order, places) = rows("a -> b c d e; x -> d", None);
    assert!(!in_file_order, "d stands below e, beside x");
    assert!(!rows("a -> b c d e; x", Some(&places)).0, "and stays there");
}

#[test]
fn one_moves_along_edges_and_within_columns() {
    use Direction::{Down, Left, Right, Up};

    let view = DagView::default();
    let shown = fold(&graph("a -> b c d; b -> e; c -> e; d -> e"), &view);
    let places = layout(&shown, None, view.zoom);
    let walk = |from, steps: &[Direction]| {
        steps.iter().fold(from, |at, step| places.neighbour(at, *step).unwrap_or(at))
    };
    assert_eq!(walk(0, &[Right]), 2);
    assert_eq!(walk(2, &[Up]), 1);
    assert_eq!(walk(1, &[Down, Down]), 3);
    assert_eq!(walk(3, &[Right, Left, Left]), 0);
    assert_eq!((places.parents(4), places.children(0)), (vec![1, 2, 3], vec![1, 2, 3]));
    let place = places.rect_of(3).expect("shown");
    assert_eq!(places.hit(place.x, place.y), Some(3));
}

#[test]
fn a_neighbourhood_is_what_stands_near() {
    let graph = graph("a -> b; b -> c; c -> d; d -> e; x -> c");
    let part = neighbourhood(&graph, 2, 1, 60);
    assert_eq!(
        (part.nodes.as_slice(), part.graph.edges.len(), part.of_whole(2)),
        (&[1, 2, 3, 5][..], 3, Some(1))
    );
    assert_eq!(neighbourhood(&graph, 2, 9, 3).nodes.len(), 3);
    assert!(neighbourhood(&graph, 99, 3, 60).nodes.is_empty());
}

#[test]
fn hostile_graphs_are_drawn_too() {
    for text in [
        "a -> a",
        "a -> b; b -> a",
        "a in b; b in a; a -> b",
        "a in g; g -> a",
        "a in g; a -> g; b in a; g -> b",
        "",
    ] {
        for zoom in [Zoom::Outline, Zoom::Dots, Zoom::Compact, Zoom::Cards] {
            for folding in [Folding::Auto, Folding::All, Folding::Nothing] {
                let view = DagView { zoom, folding, selected: Some(0), ..DagView::default() };
                drawn(&graph(text), &view, Glyphs::default(), Rect::new(0, 0, 20, 5));
            }
        }
    }
    let mut wild = DagGraph {
        nodes: vec![DagNode::new("a\u{202e}\r\u{1b}[2J", Mark::Runs)],
        edges: vec![(0, 9), (7, 0)],
    };
    wild.nodes[0].group = Some(77);
    let (_, _, buf) = drawn(&wild, &DagView::default(), Glyphs::default(), Rect::new(0, 0, 40, 1));
    assert_eq!(to_text(&buf), "► a⟨U+202E⟩␍␛[2J\n");
}

/// A graph of up to 40 nodes: edges run forward, some nodes stand in groups, some are hot, some are copies.
fn any_graph() -> impl Strategy<Value = DagGraph> {
    let node = (0..20_usize, 0..12_u8, any::<bool>(), proptest::option::weighted(0.2, 0..40_u32));
    (proptest::collection::vec(node, 1..40), proptest::collection::vec((0..40_u32, 0..40_u32), 0..90))
        .prop_map(|(nodes, edges)| {
            let count = u32::try_from(nodes.len()).expect("small");
            let nodes = (0..).zip(nodes).map(|(index, (mark, template, hot, group))| {
                let mark = Mark::all().nth(mark).expect("one of twenty");
                let mut node = DagNode::new(format!("n{index}"), mark);
                (node.copy_of, node.hot) =
                    (Some(u32::from(template)).filter(|number| *number < 3), hot && mark.urgency() > 4);
                node.group = group.filter(|group| *group < index);
                node.gate = template == 7;
                if node.gate {
                    node.asks = vec![
                        "HIGH risk".to_owned(),
                        "g-1   0 of 2 votes".to_owned(),
                        "日本語\u{202e}".to_owned(),
                    ];
                }
                node
            });
            let edges =
                edges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).filter(|(a, b)| a != b && *b < count);
            DagGraph { nodes: nodes.collect(), edges: edges.collect() }
        })
}

fn any_view() -> impl Strategy<Value = DagView> {
    let zoom = prop_oneof![Just(Zoom::Outline), Just(Zoom::Dots), Just(Zoom::Compact), Just(Zoom::Cards)];
    let folding = prop_oneof![Just(Folding::Auto), Just(Folding::All), Just(Folding::Nothing)];
    let room = prop_oneof![3 => Just(0), 2 => 1..160_u16];
    (zoom, folding, proptest::option::of(0..40_u32), any::<bool>(), room, any::<bool>()).prop_map(
        |(zoom, folding, selected, wide, room, all_edges)| DagView {
            zoom,
            folding,
            selected,
            wide,
            room,
            all_edges,
            ..DagView::default()
        },
    )
}

#[test]
fn copies_that_go_on_are_a_box_and_a_gate_that_waits_is_a_heavy_one() {
    let mut graph =
        graph("plan -> load*260; load*260 -> ask; ask -> pay; load*260=todo; ask=gate 4m 1/2; pay=todo");
    for node in 1..90 {
        graph.nodes[node].mark = Mark::Done;
    }
    graph.nodes[77].mark = Mark::Partial;
    graph.nodes[261].gate = true;
    graph.nodes[261].asks =
        ["HIGH risk", "g-31   waits 4m   1 of 2 votes", "Pay 48 refunds?"].map(str::to_owned).to_vec();
    let of = |view: &DagView| {
        let (_, places, _) = drawn(&graph, view, Glyphs::default(), Rect::new(0, 0, 1, 1));
        let (width, height) = places.size();
        let area =
            Rect::new(0, 0, u16::try_from(width).expect("small"), u16::try_from(height).expect("small"));
        to_text(&drawn(&graph, view, Glyphs::default(), area).2)
    };
    assert_snapshot!(of(&DagView { wide: true, ..DagView::default() }));
    assert_snapshot!(of(&DagView::default()));
    let (_, _, ascii) = drawn(
        &graph,
        &DagView { wide: true, ..DagView::default() },
        Glyphs { ascii: true },
        Rect::new(0, 0, 110, 16),
    );
    assert!(to_text(&ascii).is_ascii(), "{}", to_text(&ascii));
}

#[test]
fn what_an_answer_makes_of_a_step_is_a_sign_and_words_where_there_is_room() {
    let graph = graph("build -> ask; ask -> pay; pay -> mail*9; ask=gate; pay mail*9=todo");
    let fates: Fates = [(0, Fate::Undoes), (2, Fate::Starts)]
        .into_iter()
        .chain((3..12).map(|index| (index, Fate::Later)))
        .collect();
    for (zoom, ascii) in
        [(Zoom::Compact, false), (Zoom::Compact, true), (Zoom::Cards, false), (Zoom::Outline, false)]
    {
        let view = DagView { zoom, folding: Folding::All, selected: Some(1), ..DagView::default() };
        let shown = fold(&graph, &view);
        let places = layout(&shown, None, view.zoom);
        let area = Rect::new(0, 0, 78, 5);
        let mut buf = Buffer::empty(area);
        let notes = Notes { fates: Some(&fates), found: &[2] };
        let theme = Theme::for_snapshots();
        paint_with(&places, &shown, &view, notes, (&theme, Glyphs { ascii }), (0, 0), area, &mut buf);
        assert_snapshot!(snap(&buf, &theme));
    }
}

#[test]
fn a_cursor_on_a_count_leaves_it_folded_and_opens_and_closes_it() {
    let graph = lanes();
    let free = fold(&graph, &DagView::default());
    for count in free.nodes.iter().filter(|node| matches!(node.key.kind, FoldKind::Level(_))) {
        let mut view = DagView { selected: Some(count.first), ..DagView::default() };
        assert!(free.is_free(&view));
        assert_eq!(fold(&graph, &view), free);
        assert!(view.toggle_fold(&free));
        let open = fold(&graph, &view);
        assert_eq!(open.nodes.len(), free.nodes.len() + count.count as usize - 1);
        view.selected = open.nodes.iter().rfind(|node| node.within == Some(count.key)).map(|node| node.first);
        assert!(view.close_fold(&open));
        assert_eq!(fold(&graph, &view).nodes, free.nodes, "closed from its last step, too");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cursor_on_what_is_seen_anyway_changes_no_fold(graph in any_graph(), view in any_view()) {
        let free = fold(&graph, &DagView { selected: None, ..view.clone() });
        if free.is_free(&view) {
            prop_assert_eq!(fold(&graph, &view), free);
        }
    }

    #[test]
    fn every_edge_is_drawn_from_its_source_to_its_target(graph in any_graph(), view in any_view()) {
        if matches!(view.zoom, Zoom::Compact | Zoom::Cards) {
            let shown = fold(&graph, &view);
            let places = layout(&shown, None, view.zoom);
            let (width, height) = places.size();
            let area = Rect::new(0, 0, u16::try_from(width).expect("small"), u16::try_from(height).expect("small"));
            let mut buf = Buffer::empty(area);
            let view = DagView { selected: None, ..view };
            paint(&places, &shown, &view, &Theme::default(), Glyphs::default(), (0, 0), area, &mut buf);
            for (_, (from, to)) in shown.edges.iter().enumerate().filter(|(edge, _)| places.has_way(*edge)) {
                prop_assert!(is_connected(&buf, &places, *from, *to), "{from} -> {to} in\n{}", to_text(&buf));
            }
        }
    }

    #[test]
    fn of_a_node_among_counted_levels_every_edge_is_drawn(
        steps in 30..160_u32, width in 2..12_u32, seed in any::<u32>(), selected in 0..160_u32, room in 60..400_u16,
    ) {
        let graph = grid(steps, width, seed, 3);
        let view = DagView { selected: Some(selected % steps), room, ..DagView::default() };
        let shown = fold(&graph, &view);
        let places = layout(&shown, None, view.zoom);
        let (width, height) = places.size();
        let area = Rect::new(0, 0, u16::try_from(width).expect("small"), u16::try_from(height).expect("small"));
        let mut buf = Buffer::empty(area);
        paint(&places, &shown, &view, &Theme::default(), Glyphs::default(), (0, 0), area, &mut buf);
        let at = shown.spot_of(selected % steps).expect("shown");
        let edges = shown.edges.iter().filter(|(from, to)| *from == at || *to == at);
        let band = |spot: u32| places.band_of(spot);
        for (from, to) in edges.filter(|(from, to)| band(*from) == band(*to)) {
            prop_assert!(is_connected(&buf, &places, *from, *to), "{from} -> {to} in\n{}", to_text(&buf));
        }
    }

    #[test]
    fn no_two_nodes_overlap_and_all_are_shown(graph in any_graph(), view in any_view()) {
        let shown = fold(&graph, &view);
        let places = layout(&shown, None, view.zoom);
        prop_assert_eq!(&places, &layout(&shown, None, view.zoom));
        for node in 0..graph.nodes.len() {
            prop_assert!(shown.spot_of(u32::try_from(node).expect("small")).is_some_and(|spot| (spot as usize) < shown.nodes.len()));
        }
        if view.zoom != Zoom::Dots {
            for a in 0..u32::try_from(shown.nodes.len()).expect("small") {
                for b in 0..a {
                    let (a, b) = (places.rect_of(a).expect("placed"), places.rect_of(b).expect("placed"));
                    let nested = |outer: Place, inner: Place| {
                        outer.x < inner.x && outer.y < inner.y
                            && inner.x + inner.width < outer.x + outer.width
                            && inner.y + inner.height < outer.y + outer.height
                    };
                    prop_assert!(!a.meets(b) || nested(a, b) || nested(b, a), "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn no_cell_outside_its_pane(
        graph in any_graph(), view in any_view(), ascii in any::<bool>(),
        size in (1..200_u16, 1..60_u16), offset in (-20..200_i32, -20..60_i32),
    ) {
        let shown = fold(&graph, &view);
        let places = layout(&shown, None, view.zoom);
        let area = Rect::new(2, 1, size.0, size.1);
        let mut buf = Buffer::empty(Rect::new(0, 0, size.0 + 4, size.1 + 2));
        let (theme, glyphs) = (Theme::for_snapshots(), Glyphs { ascii });
        paint(&places, &shown, &view, &theme, glyphs, offset, area, &mut buf);
        let window = Place { x: offset.0, y: offset.1, width: i32::from(size.0), height: i32::from(size.1) };
        paint_map(&places, &shown, window, (&theme, glyphs), area, &mut buf);
        for position in buf.area.positions().filter(|position| !area.contains(*position)) {
            prop_assert_eq!(buf[position].symbol(), " ");
        }
    }
}

/// Walks the drawn lines from the right side of one node to the arrow before the other.
fn is_connected(buf: &Buffer, places: &Layout, from: u32, to: u32) -> bool {
    let at = |spot: u32| places.rect_of(spot).expect("placed");
    let (source, target) = (at(from), at(to));
    let arms = |x: i32, y: i32| -> u8 {
        let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else { return 0 };
        let symbol = buf.cell((x, y)).map_or(" ", |cell| cell.symbol());
        if symbol == "→" {
            return 10;
        }
        // Rows by north and east, places in them by south and west, each none, thin or heavy.
        const SIGNS: &str =
            " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋";
        let place = SIGNS.chars().position(|c| c.to_string() == symbol).unwrap_or(0);
        let has = |weight: usize, arm: u8| if (place / weight).is_multiple_of(3) { 0 } else { arm };
        has(27, 1) | has(9, 2) | has(3, 4) | has(1, 8)
    };
    let rows = source.y..source.y + source.height;
    let starts = rows.flat_map(|y| [(source.x + source.width, y), (source.x + source.width + 1, y)]);
    let mut waiting: Vec<((i32, i32), u8)> =
        starts.filter(|(x, y)| arms(*x, *y) & 0b1000 != 0).map(|at| (at, 2)).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(((x, y), heading)) = waiting.pop() {
        let mask = arms(x, y);
        if mask == 0 || !seen.insert((x, y, heading)) {
            continue;
        }
        if x == target.x - 1 && (target.y..target.y + target.height).contains(&y) {
            return true;
        }
        // A line that is crossed goes on behind the other.
        let mask = if mask == 5 && heading & 0b1010 != 0 { 0b1010 } else { mask };
        for (arm, step) in [(1, (0, -1)), (2, (1, 0)), (4, (0, 1)), (8, (-1, 0))] {
            let backwards = matches!((arm, heading), (1, 4) | (4, 1) | (2, 8) | (8, 2));
            if mask & arm != 0 && !backwards {
                waiting.push(((x + step.0, y + step.1), arm));
            }
        }
    }
    false
}

/// Steps in levels of `width`, each with up to `needs` needs in the level before, or now and then in an earlier one.
fn grid(steps: u32, width: u32, seed: u32, needs: u32) -> DagGraph {
    let mut seed = seed;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut graph = DagGraph::default();
    for node in 0..steps {
        graph.nodes.push(DagNode::new(format!("step_{node}"), Mark::Done));
        let level = node / width;
        for _ in 0..if level == 0 { 0 } else { needs } {
            let before = if level > 1 && random(9) == 0 { random(level) } else { level - 1 };
            graph.edges.push((before * width + random(width), node));
        }
    }
    graph
}

const LEVELS: [&str; 6] = ["extract", "clean", "join", "enrich", "aggregate", "load"];
const TABLES: [&str; 10] =
    ["users", "prices", "fraud", "tax", "carts", "orders", "items", "stock", "mail", "geo"];

/// The failed run of the design: 60 steps in six levels, four failed, what needs them skipped.
fn etl() -> DagGraph {
    let mut graph = DagGraph::default();
    for (level, name) in (0_u32..).zip(LEVELS) {
        for (index, table) in (0_u32..).zip(TABLES) {
            let node = level * 10 + index;
            let mut dag_node = DagNode::new(format!("{name}_{table}"), Mark::Done);
            if level > 0 {
                let before = (level - 1) * 10;
                graph.edges.push((before + index, node));
                if level > 1 && level % 2 == 0 {
                    graph.edges.push((before + (index + 1) % 10, node));
                }
            }
            let failed = matches!((level, index), (1, 1..=3) | (3, 4));
            let needs = graph.edges.iter().filter(|(_, to)| *to == node);
            let skipped = needs.clone().any(|(from, _)| graph.nodes[*from as usize].mark != Mark::Done);
            dag_node.mark = match (failed, skipped) {
                (true, _) => Mark::Failed,
                (false, true) => Mark::Skipped,
                (false, false) => Mark::Done,
            };
            dag_node.hot = failed;
            graph.nodes.push(dag_node);
        }
    }
    graph
}

#[test]
fn sixty_steps_in_six_levels_are_named_levels_and_the_edges_of_the_cursor() {
    let graph = etl();
    for room in [114, 80] {
        assert_snapshot!(check_in(&graph, &DagView { selected: Some(34), room, ..DagView::default() }));
    }
    let cards = DagView { selected: Some(34), room: 114, zoom: Zoom::Cards, ..DagView::default() };
    assert_snapshot!(check_in(&graph, &cards));
    let ascii = DagView { selected: Some(34), room: 114, ..DagView::default() };
    let (_, _, buf) = drawn(&graph, &ascii, Glyphs { ascii: true }, Rect::new(0, 0, 114, 12));
    assert!(to_text(&buf).is_ascii(), "{}", to_text(&buf));
    let all = DagView { all_edges: true, ..ascii };
    let shown = fold(&graph, &all);
    let places = layout(&shown, None, all.zoom);
    assert!((0..shown.edges.len()).all(|edge| places.has_way(edge)), "all edges are drawn");
}

#[test]
fn nodes_stand_in_one_order_at_every_zoom_and_wherever_the_cursor_is() {
    let graph = etl();
    let order = |zoom, selected| {
        let view = DagView { zoom, selected, room: 114, ..DagView::default() };
        layout(&fold(&graph, &view), None, zoom).order().clone()
    };
    let first = order(Zoom::Compact, None);
    assert_eq!(first, order(Zoom::Cards, None));
    assert_eq!(first, order(Zoom::Compact, Some(34)));
    assert_eq!(first, order(Zoom::Cards, Some(11)));
}

#[test]
fn three_hundred_and_two_thousand_steps_show_every_level_with_its_count() {
    for (steps, width) in [(300, 25), (2_000, 100)] {
        let mut graph = grid(steps, width, 7, 2);
        let failed = steps / 4 + 30;
        (graph.nodes[failed as usize].mark, graph.nodes[failed as usize].hot) = (Mark::Failed, true);
        for node in &mut graph.nodes[(steps / 2) as usize..] {
            node.mark = Mark::Skipped;
        }
        let mut last = steps - 1;
        graph.nodes[last as usize].critical = true;
        while let Some((from, _)) = graph.edges.iter().find(|(_, to)| *to == last) {
            last = *from;
            graph.nodes[last as usize].critical = true;
        }
        let view = DagView { selected: Some(failed), room: 114, ..DagView::default() };
        let text = check_in(&graph, &view);
        assert!(text.lines().count() <= 30, "all of it is seen at 160x48:\n{text}");
        assert_snapshot!(text);
    }
}

#[test]
fn a_line_of_eleven_steps_fits_a_pane_of_160_columns() {
    let names = "checkout build unit_tests lint package scan publish deploy_canary verify rollout announce";
    let names: Vec<&str> = names.split(' ').collect();
    let text: String = names.windows(2).map(|pair| format!("{} -> {};", pair[0], pair[1])).collect();
    assert_snapshot!(check_in(&graph(&text), &DagView { room: 114, wide: true, ..DagView::default() }));
}

#[test]
fn few_wires_go_on_from_band_to_band_and_do_not_cross_on_the_way() {
    let text =
        "a -> b1 b2 b3; b1 -> c1; b2 -> c2; b3 -> c3; c1 -> d1; c2 -> d2; c3 -> d3; d1 d2 d3 -> e; a -> e";
    assert_snapshot!(check_in(&graph(text), &DagView { room: 24, ..DagView::default() }));
}

#[test]
fn one_level_of_ten_thousand_steps_and_ten_thousand_levels_are_drawn_too() {
    let flat = grid(10_000, 10_000, 1, 0);
    let view = DagView { room: 114, selected: Some(0), ..DagView::default() };
    assert_eq!(check_in(&flat, &view), "step 10000\n✓ 10000\n");
    let mut failed = flat;
    for node in &mut failed.nodes {
        (node.mark, node.hot) = (Mark::Failed, true);
    }
    let text = check_in(&failed, &view);
    assert!(text.contains("✗ 9976") && text.lines().count() < 40, "{text}");
    for width in [1, 2, 5] {
        let deep = grid(10_000 * width, width, 1, 2);
        for selected in [0, 5_000 * width, 10_000 * width - 1] {
            let view = DagView { selected: Some(selected), ..view.clone() };
            let shown = fold(&deep, &view);
            let places = layout(&shown, None, view.zoom);
            assert!(places.size().0 <= 114);
            let place = places.rect_of(shown.spot_of(selected).expect("shown")).expect("placed");
            let area = Rect::new(0, 0, 114, 30);
            let mut buf = Buffer::empty(area);
            let look = (&Theme::for_snapshots(), Glyphs::default());
            paint(&places, &shown, &view, look.0, look.1, (0, place.y - 10), area, &mut buf);
        }
    }
}

#[test]
fn names_of_three_hundred_wide_characters_are_cut_to_their_columns() {
    let wide = "語".repeat(300);
    let mut graph = etl();
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        node.label = format!("{wide}_{index}{wide}");
    }
    for zoom in [Zoom::Outline, Zoom::Dots, Zoom::Compact, Zoom::Cards] {
        for room in [0, 40, 114] {
            let view = DagView { zoom, room, selected: Some(34), ..DagView::default() };
            let area = Rect::new(0, 0, 114, 30);
            let (_, places, buf) = drawn(&graph, &view, Glyphs::default(), area);
            assert!(
                to_text(&buf).contains('…') || matches!(zoom, Zoom::Outline | Zoom::Dots),
                "{}",
                to_text(&buf)
            );
            assert!(
                room < 40 || zoom < Zoom::Compact || places.size().0 <= i32::from(room),
                "{zoom:?} {room}"
            );
        }
    }
}

/// Figures for the report, not a test of time: `cargo test --release --test it figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures"]
fn figures_of_large_graphs() {
    let layered = |count: u32, width: u32, copies: bool| {
        let mut seed = 7_u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let mut graph = DagGraph::default();
        for node in 0..count {
            let mut dag_node = DagNode::new(format!("step_{node}"), Mark::Done);
            dag_node.copy_of = copies.then_some(node / width);
            graph.nodes.push(dag_node);
            let layer = node / width;
            for _ in 0..if layer == 0 { 0 } else { 2 } {
                graph.edges.push(((layer - 1) * width + random(width), node));
            }
        }
        graph
    };
    #[expect(clippy::disallowed_methods, reason = "figures are measured")]
    let now = std::time::Instant::now;
    for (count, width, copies) in [
        (100, 10, false),
        (1_000, 25, false),
        (1_000, 100, false),
        (2_000, 100, false),
        (10_000, 100, true),
        (10_000, 5_000, true),
    ] {
        let graph = layered(count, width, copies);
        let view = DagView { room: 114, selected: Some(count / 2), ..DagView::default() };
        let start = now();
        let shown = fold(&graph, &view);
        let folded = start.elapsed();
        let start = now();
        let places = layout(&shown, None, view.zoom);
        let arranged = start.elapsed();
        let area = Rect::new(0, 0, 160, 48);
        let mut buf = Buffer::empty(area);
        let start = now();
        paint(&places, &shown, &view, &Theme::default(), Glyphs::default(), (100, 20), area, &mut buf);
        println!(
            "{count} of {width}: {} shown, fold {folded:?}, layout {arranged:?}, paint {:?}",
            shown.nodes.len(),
            start.elapsed()
        );
    }
}
