// SPDX-License-Identifier: GPL-2.0-only
//! rust_family: what Rust's collections ask the system's allocator for, with books; and leaks. It speaks the protocol of
//! victim.h. Built by the test, where there is a rustc.
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

struct Books {
    on: AtomicBool,
    bytes: AtomicI64,
    blocks: AtomicI64,
    allocs: AtomicU64,
    frees: AtomicU64,
}

// Nothing from before READY is freed later.
#[global_allocator]
static BOOKS: Books = Books {
    on: AtomicBool::new(false),
    bytes: AtomicI64::new(0),
    blocks: AtomicI64::new(0),
    allocs: AtomicU64::new(0),
    frees: AtomicU64::new(0),
};

impl Books {
    fn born(&self, size: usize) {
        if self.on.load(SeqCst) {
            self.bytes.fetch_add(size as i64, SeqCst);
            self.blocks.fetch_add(1, SeqCst);
            self.allocs.fetch_add(1, SeqCst);
        }
    }

    fn dead(&self, size: usize) {
        if self.on.load(SeqCst) {
            self.bytes.fetch_sub(size as i64, SeqCst);
            self.blocks.fetch_sub(1, SeqCst);
            self.frees.fetch_add(1, SeqCst);
        }
    }
}

unsafe impl GlobalAlloc for Books {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.born(layout.size());
        System.alloc(layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.born(layout.size());
        System.alloc_zeroed(layout)
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        self.dead(layout.size());
        System.dealloc(p, layout)
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.born(size);
        self.dead(layout.size());
        System.realloc(p, layout, size)
    }
}

#[derive(Clone)]
#[repr(align(64))]
struct Aligned([u8; 192]);

#[no_mangle]
#[inline(never)]
pub fn leaked_here(n: usize) -> usize {
    let leak: &'static mut [u8] = Box::leak(vec![n as u8; 20000].into_boxed_slice());
    black_box(leak).len()
}

#[no_mangle]
#[inline(never)]
pub fn forgets(n: usize) {
    std::mem::forget(black_box(format!("{n} is forgotten")));
}

#[inline(never)]
fn churn(n: usize) -> usize {
    let mut hash: HashMap<String, Vec<usize>> = HashMap::new();
    let mut tree = BTreeMap::new();
    for i in 0..60 {
        hash.entry(format!("key {}", i % 17)).or_default().push(i * n);
        tree.insert(i * 7919 % 1000, Box::new([i; 9]));
    }
    let mut text = String::new();
    for word in hash.keys() {
        text.push_str(word);
    }
    let aligned = vec![Aligned([n as u8; 192]); n % 7 + 1];
    let zeros = vec![0u64; 100 + n];
    let shared: Arc<str> = Arc::from(text.as_str());
    black_box(&shared).len() + black_box(&aligned).len() + black_box(&zeros).len() + tree.len()
}

fn say(text: &[u8]) {
    let mut out = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(1) });
    out.write_all(text).unwrap();
}

fn wait() {
    let mut input = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(0) });
    if input.read(&mut [0u8; 1]).unwrap_or(0) != 1 {
        std::process::exit(99);
    }
}

fn work(index: usize) {
    for n in 0..40 {
        churn(n + index);
        leaked_here(n);
        forgets(n);
    }
}

fn main() {
    let (go, done) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (its_go, its_done) = (go.clone(), done.clone());
    let mut line = [0u8; 512];
    std::thread::spawn(move || {
        churn(1); // what a thread has of its own, as the keys of its HashMaps
        its_go.wait();
        work(1);
        its_done.wait();
        loop {
            std::thread::park();
        }
    });
    churn(0);
    say(format!("READY pid={}\n", std::process::id()).as_bytes());
    wait();
    BOOKS.on.store(true, SeqCst);
    go.wait();
    work(0);
    done.wait();
    BOOKS.on.store(false, SeqCst);
    let mut text = &mut line[..];
    writeln!(
        text,
        "TRUTH {{\"live_bytes\":{},\"live_blocks\":{},\"allocs\":{},\"frees\":{},\"failed\":0,\"sites\":\
         {{\"leaked_here\":{{\"bytes\":1600000,\"blocks\":80}}}}}}",
        BOOKS.bytes.load(SeqCst),
        BOOKS.blocks.load(SeqCst),
        BOOKS.allocs.load(SeqCst),
        BOOKS.frees.load(SeqCst)
    )
    .unwrap();
    let left = text.len();
    say(&line[..512 - left]);
    wait();
}
