//! The report: from figures, one object a line, to a page of Markdown and charts in SVG.

mod bars;
pub mod figure;
mod lines;
mod markdown;
mod number;
mod scenarios;
mod story;
mod svg;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use self::story::Story;

/// The file of the figures, one object a line.
pub const FIGURES: &str = "figures.jsonl";
/// What is to be known about machine and versions, in Markdown; it is put into the page, if it is there.
pub const ABOUT: &str = "about.md";
/// The page that is written.
pub const PAGE: &str = "README.md";

/// A chart that was written.
pub(crate) struct Chart {
    scenario: String,
    file: String,
    title: String,
}

/// Reads the figures in a folder, and writes the page and its charts beside them. Charts of before are removed.
///
/// # Errors
/// When the figures cannot be read, or the files not be written.
pub fn write(folder: &Path) -> Result<()> {
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    };
    let story = Story::new(figure::medians(&figure::read(&read(FIGURES)?).context(FIGURES)?));
    let about = match folder.join(ABOUT).exists() {
        true => format!("{}\n\n", read(ABOUT)?.trim()),
        false => String::new(),
    };
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    let mut charts = Vec::new();
    for (chart, drawing) in drawings(&story) {
        fs::write(folder.join(&chart.file), drawing)?;
        charts.push(chart);
    }
    fs::write(folder.join(PAGE), markdown::page(&story, &charts, &about))?;
    Ok(())
}

/// A chart for each measure of each scenario that can be compared.
fn drawings(story: &Story) -> Vec<(Chart, String)> {
    let mut drawings = Vec::new();
    for tale in &story.tales {
        let figures: Vec<_> = tale.figures.iter().collect();
        let growth = tale.grows().then(|| scenarios::growth(&tale.name));
        for measure in growth.map_or(tale.kind.measures, |growth| growth.measures) {
            let ours = || story.reference().and_then(|target| tale.value(target, measure));
            let drawing = match growth {
                Some(growth) => lines::draw(&tale.heading, growth.axis, measure, &figures),
                None => bars::draw(&tale.heading, measure, &figures, ours()),
            };
            let Some(drawing) = drawing else { continue };
            let file = format!("{}-{}.svg", tale.name, measure.name.replace('_', "-"));
            let title = tale.what(measure);
            drawings.push((Chart { scenario: tale.name.clone(), file, title }, drawing));
        }
    }
    drawings
}

#[cfg(test)]
mod tests;
