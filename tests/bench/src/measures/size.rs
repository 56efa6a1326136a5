//! The size of the program files.

use std::{fs, io, path::Path};

use crate::{
    bed::{Bed, Gap},
    subjects::Subject,
    table::{Column, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let how = "Bytes of the program file as installed, in kB of 1,000. s6 and runit: the two \
               programs that keep one service running. supervisor is a Python program and has no \
               size of its own to compare.";
    let mut table = Table::new("size", "Size", how);
    table.columns = vec![Column { name: "size", unit: "kB" }];
    for subject in &bed.subjects {
        // The second way to run foster is the same file.
        if subject.name == "foster --wrap" {
            continue;
        }
        let look = look(subject);
        table.push(subject, look.as_ref().map(|(bytes, _)| vec![*bytes]).map_err(Gap::clone));
        if let (Some(row), Ok((_, linked))) = (table.rows.last_mut(), look) {
            row.remark = linked.into();
        }
    }
    Ok(vec![table])
}

fn look(subject: &Subject) -> Result<(f64, &'static str), Gap> {
    if !subject.installed() {
        return Err(Gap::Absent("not installed"));
    }
    let (mut bytes, mut linked) = (0, "static");
    for program in &subject.programs {
        let content = fs::read(program)?;
        match linkage(&content) {
            None => return Err(Gap::Absent("a script")),
            Some(false) => linked = "dynamic, needs a C library",
            Some(true) => {}
        }
        bytes += size(program)?;
    }
    Ok((bytes as f64 / 1e3, linked))
}

fn size(program: &Path) -> io::Result<u64> {
    Ok(fs::metadata(program)?.len())
}

/// Whether a 64-bit ELF file asks for no interpreter, or nothing where it is no such file.
fn linkage(file: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    if file.get(..5)? != b"\x7fELF\x02" {
        return None;
    }
    let number = |at: usize, length: usize| -> Option<usize> {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(file.get(at..at + length)?);
        Some(u64::from_le_bytes(bytes) as usize)
    };
    let (table, entry, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let kinds = (0..count).map(|index| number(table + index * entry, 4));
    Some(!kinds.flatten().any(|kind| kind == INTERPRETER as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_an_interpreter_is_dynamic() {
        let header = |kind: u32| {
            let mut file = vec![0; 64 + 56];
            file[..5].copy_from_slice(b"\x7fELF\x02");
            file[32] = 64;
            file[54] = 56;
            file[56] = 1;
            file[64..68].copy_from_slice(&kind.to_le_bytes());
            file
        };
        assert_eq!(linkage(&header(1)), Some(true));
        assert_eq!(linkage(&header(3)), Some(false));
        assert_eq!(linkage(b"#!/usr/bin/python3\n"), None);
        assert_eq!(linkage(b""), None);
    }
}
