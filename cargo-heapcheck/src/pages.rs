#![forbid(unsafe_code)]
//! `completions` and `man`: the command line as other programs read it, made from its own description.

use std::io::Write;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::complaint::Complaint;
use crate::ending::Ending;

/// The program's name, which a shell completes and `man` finds.
const NAME: &str = "cargo-heapcheck";

/// Prints a script for a shell.
pub(crate) fn complete(mut command: Command, shell: Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    // A reader that closes the pipe early has seen enough.
    let _ = std::io::stdout().write_all(&script);
    Ending::Clean.code()
}

/// Prints the first page, or writes all of them into a folder.
pub(crate) fn manual(command: Command, folder: Option<&Path>) -> Result<u8, Complaint> {
    let command = command.bin_name(NAME);
    match folder {
        Some(folder) => {
            let written =
                std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
            written.map_err(|error| Complaint::file("write the manual to", folder, &error))?;
        }
        None => {
            let mut page = Vec::new();
            let rendered = Man::new(command).render(&mut page);
            rendered.map_err(|error| Complaint::no_verdict(format!("cannot write the manual: {error}")))?;
            let _ = std::io::stdout().write_all(&page);
        }
    }
    Ok(Ending::Clean.code())
}
