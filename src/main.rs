//! The foster program.
fn main() {
    println!("foster {}", env!("CARGO_PKG_VERSION"));
}
