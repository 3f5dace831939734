//! The manual page: one for the program, with a section for each command.

use std::io::{self, Write as _};

use clap::Command;
use clap_mangen::Man;

/// The page in roff.
pub(crate) fn page(mut program: Command) -> io::Result<Vec<u8>> {
    program.build();
    let main = Man::new(program.clone());
    let mut page = Vec::new();
    main.render_title(&mut page)?;
    main.render_name_section(&mut page)?;
    main.render_synopsis_section(&mut page)?;
    main.render_description_section(&mut page)?;
    main.render_subcommands_section(&mut page)?;
    for command in program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        write_command(command, &mut page)?;
    }
    main.render_extra_section(&mut page)?;
    main.render_version_section(&mut page)?;
    Ok(page)
}

/// A command's page becomes a section, and its sections subsections.
fn write_command(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut sections = Vec::new();
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    writeln!(
        page,
        ".SH \"AQUEDUCT {}\"",
        command.get_name().to_uppercase()
    )?;
    for line in sections.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b".SH ") {
            Some(title) => page.write_all(&[b".SS ", title].concat())?,
            None => page.write_all(line)?,
        }
    }
    Ok(())
}
