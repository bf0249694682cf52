//! A dealer's feed: an XML file of vehicles. It is written by a seed, so that in the morning everybody knows what it held.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::Path,
};

use quick_xml::{
    escape::{escape, unescape},
    events::{BytesStart, Event},
    reader::Reader,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How much of a file is read at once.
const BUFFER: usize = 64 * 1024;

const MODELS: [&str; 6] = ["Astra 1.2", "Vans & Trucks <4t", "Fabia \"Style\"", "Zoe", "i30 N", "500e"];

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Vehicle {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) price: u64,
}

/// The line that an import makes of it.
impl fmt::Display for Vehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{};{}", self.id, self.model, self.price)
    }
}

/// A file that a dealer has left.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) dealer: String,
    pub(crate) number: u64,
    pub(crate) vehicles: u64,
    pub(crate) seed: u64,
}

impl Feed {
    pub(crate) fn name(&self) -> String {
        format!("{}-{:03}", self.dealer, self.number)
    }

    /// What is in it.
    pub(crate) fn stock(&self) -> impl Iterator<Item = Vehicle> {
        let mut random = StdRng::seed_from_u64(self.seed ^ self.number);
        let name = self.name();
        (0..self.vehicles).map(move |vehicle| Vehicle {
            id: format!("{name}-{vehicle:07}"),
            model: MODELS[random.random_range(0..MODELS.len())].to_owned(),
            price: random.random_range(1_000..90_000),
        })
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(path)?);
        writeln!(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed dealer=\"{}\">", self.dealer)?;
        for Vehicle { id, model, price } in self.stock() {
            let model = escape(model);
            writeln!(file, "  <vehicle id=\"{id}\">\n    <model>{model}</model>\n    <price>{price}</price>")?;
            writeln!(file, "    <description>{}</description>\n  </vehicle>", "Well kept, one owner. ".repeat(8))?;
        }
        writeln!(file, "</feed>")?;
        file.flush()
    }
}

/// The vehicles of a file, one at a time: a file of any size takes the same memory.
#[derive(Debug)]
pub(crate) struct Vehicles {
    reader: Reader<BufReader<File>>,
    event: Vec<u8>,
    text: Vec<u8>,
    whole: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("the feed cannot be read")]
    Io(#[from] io::Error),
    #[error("the feed is no XML")]
    Xml(#[from] quick_xml::Error),
    #[error("the feed says what no feed says: {0}")]
    Content(String),
    #[error("the feed ends in the middle")]
    CutOff,
}

impl Vehicles {
    pub(crate) fn open(path: &Path) -> Result<Self, FeedError> {
        let file = BufReader::with_capacity(BUFFER, File::open(path)?);
        Ok(Self { reader: Reader::from_reader(file), event: Vec::new(), text: Vec::new(), whole: false })
    }

    fn read(&mut self) -> Result<Option<Vehicle>, FeedError> {
        let mut vehicle = Vehicle::default();
        loop {
            self.event.clear();
            match self.reader.read_event_into(&mut self.event)? {
                Event::Start(start) => match start.name().as_ref() {
                    "vehicle" => vehicle.id = id(&start)?,
                    "model" => vehicle.model = text(&mut self.reader, &start, &mut self.text)?,
                    "price" => {
                        let price = text(&mut self.reader, &start, &mut self.text)?;
                        vehicle.price = price.parse().map_err(|_| FeedError::Content(price))?;
                    }
                    _ => {}
                },
                Event::End(end) => match end.name().as_ref() {
                    "vehicle" => return Ok(Some(vehicle)),
                    "feed" => self.whole = true,
                    _ => {}
                },
                Event::Eof if self.whole => return Ok(None),
                Event::Eof => return Err(FeedError::CutOff),
                _ => {}
            }
        }
    }
}

impl Iterator for Vehicles {
    type Item = Result<Vehicle, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn id(vehicle: &BytesStart<'_>) -> Result<String, FeedError> {
    let id = vehicle.try_get_attribute("id").map_err(quick_xml::Error::from)?;
    let id = id.ok_or_else(|| FeedError::Content("a vehicle without an id".to_owned()))?;
    Ok(unescape(&id.value).map_err(quick_xml::Error::from)?.into_owned())
}

/// The text up to the end of the element that has just begun.
fn text(reader: &mut Reader<BufReader<File>>, of: &BytesStart<'_>, buffer: &mut Vec<u8>) -> Result<String, FeedError> {
    buffer.clear();
    let text = reader.read_text_into(of.name(), buffer)?;
    Ok(unescape(&text).map_err(quick_xml::Error::from)?.into_owned())
}
