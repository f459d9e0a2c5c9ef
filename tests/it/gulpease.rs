//! The Gulpease index of the prose of a page: how easily Italians read it, from 0 to 100.
//!
//! `89 + (300 * sentences - 10 * letters) / words` (Lucisano and Piemontese, GULP, 1988). From 60 on, people with eight
//! years of school read it by themselves. A page is an average, so its longest sentence is counted as well.
//!
//! Prose is what stands in `main` and ends like a sentence, with a full stop, a question mark or an exclamation mark:
//! headings, labels, buttons, links and cells that are no sentences count for nothing, since each would count as a very
//! short sentence. From eight words on, a text is prose without a full stop, and counts. List items without such a mark are
//! one sentence together with what introduces them. A colon and a semicolon end none. `l'ufficio` is one word, which makes
//! the index lower. Numbers are words, their digits letters. Codes, words in another language and what only screen readers
//! read are left out.

/// Elements that are no part of the sentence around them.
const INLINE: [&str; 8] = ["a", "strong", "em", "span", "time", "code", "br", "input"];
/// Words from which a text without a full stop is a sentence all the same.
const UNMARKED_WORDS_MIN: usize = 8;
/// Marks that end no sentence after these.
const ABBREVIATIONS: [&str; 3] = ["art.", "artt.", "par."];

/// Counts of one page or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prose {
    pub(crate) sentences: usize,
    pub(crate) words: usize,
    pub(crate) letters: usize,
    /// Words of the longest sentence that is no list.
    pub(crate) longest: usize,
}

impl Prose {
    pub(crate) fn of_page(html: &str) -> Self {
        let main = html.split_once("<main").and_then(|(_, rest)| rest.split_once("</main>"));
        let (mut prose, mut list) = (Self::default(), String::new());
        for block in blocks(main.map_or("", |(main, _)| main)) {
            if !block.is_item || block.text.ends_with(['.', '?', '!']) {
                prose.add_sentence(&std::mem::take(&mut list));
            }
            let rest = sentences(&block.text, |sentence| prose.add(sentence));
            if block.is_item || rest.ends_with(':') {
                list.extend([rest, " "]);
            } else if rest.split_whitespace().count() >= UNMARKED_WORDS_MIN {
                prose.add(rest);
            }
        }
        prose.add_sentence(&list);
        prose
    }

    pub(crate) fn index(&self) -> f64 {
        let [sentences, words, letters] = [self.sentences, self.words, self.letters]
            .map(|count| f64::from(u32::try_from(count).unwrap()));
        89.0 + (300.0 * sentences - 10.0 * letters) / words
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            sentences: self.sentences + other.sentences,
            words: self.words + other.words,
            letters: self.letters + other.letters,
            longest: self.longest.max(other.longest),
        }
    }

    fn add(&mut self, sentence: &str) {
        let before = self.words;
        self.add_sentence(sentence);
        self.longest = self.longest.max(self.words - before);
    }

    fn add_sentence(&mut self, text: &str) {
        let words = text
            .split_whitespace()
            .map(|word| word.chars().filter(|c| c.is_alphanumeric()).count());
        let words: Vec<_> = words.filter(|letters| *letters > 0).collect();
        self.sentences += usize::from(!words.is_empty());
        self.words += words.len();
        self.letters += words.iter().sum::<usize>();
    }
}

struct Block {
    is_item: bool,
    text: String,
}

/// The texts of the blocks of a page, as people see them.
fn blocks(html: &str) -> Vec<Block> {
    let (mut blocks, mut text, mut is_item) = (Vec::new(), String::new(), false);
    // The name of the element whose content is left out.
    let mut hidden: Option<&str> = None;
    for piece in html.split('<').skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        if let Some(skipped) = hidden {
            if tag.strip_prefix('/') != Some(skipped) {
                continue;
            }
            hidden = None;
        } else if name == "code" || tag.contains("class=\"hidden\"") || tag.contains("lang=\"en\"")
        {
            hidden = Some(name);
            continue;
        }
        if INLINE.contains(&name) {
            text.extend([" ", rest]);
            continue;
        }
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.replace("&#39;", "'").replace("&#38;", "&").replace(" .", ".");
        if !words.is_empty() {
            blocks.push(Block { is_item, text: words });
        }
        is_item = tag == "li";
        rest.clone_into(&mut text);
    }
    blocks
}

/// Gives each sentence of a text to `take`, and returns what is left, which is none.
fn sentences(text: &str, mut take: impl FnMut(&str)) -> &str {
    let mut from = 0;
    for (at, mark) in text.char_indices().filter(|(_, mark)| ".?!".contains(*mark)) {
        let end = at + mark.len_utf8();
        let is_end = text[end..].is_empty() || text[end..].starts_with(' ');
        let word = text[..end].rsplit([' ', '(', '\'']).next().unwrap();
        if is_end && !ABBREVIATIONS.contains(&word) {
            take(&text[from..end]);
            from = end;
        }
    }
    text[from..].trim()
}

#[test]
fn sentences_are_counted_and_labels_are_not() {
    let page = "<main id=\"content\"><h1>Titolo</h1>\n<h2>Perché devo aspettare?</h2>\
        <p>Vale l'art. 6 della legge. <strong>Sì</strong>, subito <code>ABC-1</code>!</p>\
        <p>Ti serve:</p><ul><li>un conto</li><li>la data</li></ul><p><a href=\"/\">Esci</a></p>\
        <button>Invia<span class=\"hidden\"> la domanda.</span></button></main><p>Fuori.</p>";
    let unmarked = "<main><p>Una frase di otto parole senza un punto</p><p>Solo sette parole qui, senza un punto</p>";
    assert_eq!(Prose::of_page(&format!("{unmarked}</main>")).sentences, 1);
    let prose = Prose::of_page(page);
    // Perché devo aspettare | Vale l'art. 6 della legge | Sì subito | Ti serve un conto la data
    assert_eq!(prose, Prose { sentences: 4, words: 16, letters: 19 + 19 + 8 + 20, longest: 5 });
    assert!((prose.index() - (89.0 + (1200.0 - 660.0) / 16.0)).abs() < 1e-9);
}
