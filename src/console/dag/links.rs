//! Edges by their ends, and orders along them.

/// Edges by their ends.
pub(super) struct Links {
    pub(super) ins: Ends,
    pub(super) outs: Ends,
}

impl Links {
    pub(super) fn new(count: usize, edges: &[(u32, u32)]) -> Self {
        let back = edges.iter().map(|(from, to)| (*to, *from));
        Self { ins: Ends::new(count, back), outs: Ends::new(count, edges.iter().copied()) }
    }
}

/// For each of many the ends of its edges, one after the other in one list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ends {
    first: Vec<usize>,
    ends: Vec<u32>,
}

impl Ends {
    pub(super) fn new(count: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut first = vec![0; count + 1];
        for (of, _) in edges.clone() {
            first[of as usize + 1] += 1;
        }
        for at in 0..count {
            first[at + 1] += first[at];
        }
        let mut next = first.clone();
        let mut ends = vec![0; first[count]];
        for (of, end) in edges {
            ends[next[of as usize]] = end;
            next[of as usize] += 1;
        }
        Self { first, ends }
    }

    pub(super) fn len(&self) -> usize {
        self.first.len() - 1
    }

    pub(super) fn counts(&self) -> Vec<usize> {
        self.first.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl std::ops::Index<usize> for Ends {
    type Output = [u32];

    fn index(&self, of: usize) -> &[u32] {
        &self.ends[self.first[of]..self.first[of + 1]]
    }
}

pub(super) fn depths(links: &Links) -> Vec<u32> {
    let mut depth = vec![0; links.ins.len()];
    for cell in topological(links) {
        for to in &links.outs[cell] {
            depth[*to as usize] = depth[*to as usize].max(depth[cell] + 1);
        }
    }
    depth
}

pub(super) fn topological(links: &Links) -> Vec<usize> {
    let mut waiting = links.ins.counts();
    let mut order: Vec<usize> = (0..waiting.len()).filter(|cell| waiting[*cell] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for to in &links.outs[order[at]] {
            waiting[*to as usize] -= 1;
            if waiting[*to as usize] == 0 {
                order.push(*to as usize);
            }
        }
        at += 1;
    }
    order
}

/// A graph has fewer than 2³² nodes: its edges could not name more.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).expect("nodes are numbered with 32 bits")
}
