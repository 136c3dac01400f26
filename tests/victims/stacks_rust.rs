// SPDX-License-Identifier: GPL-2.0-only
//! stacks_rust: allocations below Rust's kinds of frames. Built by the test, where there is a rustc.
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

#[inline(never)]
fn deep(n: u32) -> usize {
    if n == 0 {
        return black_box(vec![1u8; 100]).len();
    }
    black_box(deep(n - 1)) + 1
}

trait Shape {
    fn name(&self, n: usize) -> String;
}

struct Square;
struct Circle;

impl Shape for Square {
    #[inline(never)]
    fn name(&self, n: usize) -> String {
        format!("square {}", "s".repeat(n))
    }
}

impl Shape for Circle {
    #[inline(never)]
    fn name(&self, n: usize) -> String {
        if n % 3 == 0 {
            panic!("circle {n}");
        }
        format!("circle {}", n * 1000)
    }
}

#[inline(never)]
fn shapes() -> usize {
    let all: Vec<Box<dyn Shape + Send + Sync>> = vec![Box::new(Square), Box::new(Circle)];
    (0..8)
        .filter(|i| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| all[i % 2].name(*i))).is_err())
        .count()
}

#[inline(never)]
fn containers() -> usize {
    let mut hash: HashMap<String, Vec<u32>> = HashMap::new();
    let mut tree = BTreeMap::new();
    for i in 0..200u32 {
        hash.entry(format!("key {}", i % 50)).or_default().push(i);
        tree.insert(i * 7919 % 1000, i.to_string());
    }
    let mut words: Vec<String> = tree.values().cloned().collect();
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| format!("{a}").cmp(b)));
    hash.len() + words.len()
}

fn work() -> usize {
    deep(40) + shapes() + containers()
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    deep(300);
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(work)).collect();
    let sums: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    println!("{sums:?}");
}
