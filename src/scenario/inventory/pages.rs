//! What the pages of a Parquet file say of themselves, looked at before they are read: the library reserves memory for as many
//! values as a page says that it has, and a reservation that fails ends the program.

use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;

/// No header is larger: it may hold the smallest and the largest value of its page.
const HEADER_MAX: usize = 1 << 24;

/// What a footer says of a column in a part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where its pages are, in bytes of the file.
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) values: i64,
    /// Bytes of its pages when they are unpacked, headers included.
    pub(super) unpacked: i64,
}

/// Whether a column's pages can be what they say, one after the other.
pub(super) fn believable(file: &[u8], chunk: &Chunk) -> Result<(), String> {
    let Chunk { begin, end, values, unpacked } = *chunk;
    let place = |at: u64| usize::try_from(at).ok();
    let pages = place(begin).zip(place(end)).and_then(|(begin, end)| file.get(begin..end));
    let mut rest = pages.ok_or_else(|| format!("its pages are said to be at bytes {begin} to {end}"))?;
    let mut found = 0_i64;
    while found < values {
        let header = header(&mut rest)?;
        found += count(&header, values - found)?;
        if i64::from(header.uncompressed_page_size) > unpacked {
            return Err(format!("a page of {} bytes, of {unpacked} in its column", header.uncompressed_page_size));
        }
        let packed = usize::try_from(header.compressed_page_size).ok().and_then(|length| rest.get(length..));
        rest = packed.ok_or_else(|| format!("a page of {} bytes", header.compressed_page_size))?;
    }
    Ok(())
}

/// The header with which a page begins.
fn header(rest: &mut &[u8]) -> Result<PageHeader, String> {
    let mut protocol = TCompactInputProtocol::new(rest, HEADER_MAX);
    PageHeader::read_from_in_protocol(&mut protocol).map_err(|error| format!("the header of a page: {error}"))
}

/// How many of the column's values a page has, of so many that are left.
fn count(header: &PageHeader, left: i64) -> Result<i64, String> {
    let of_page = header.data_page_header.as_ref().map(|page| page.num_values);
    let of_page = of_page.or(header.data_page_header_v2.as_ref().map(|page| page.num_values));
    // A dictionary has values of its own: none that no row has.
    let of_dictionary = header.dictionary_page_header.as_ref().map(|page| page.num_values);
    for number in of_page.into_iter().chain(of_dictionary) {
        if !(0..=left).contains(&i64::from(number)) {
            return Err(format!("a page of {number} values, where {left} are left"));
        }
    }
    Ok(of_page.map_or(0, i64::from))
}

#[cfg(test)]
mod tests {
    use polars_parquet_format::thrift::protocol::TCompactOutputProtocol;
    use polars_parquet_format::{DataPageHeader, DictionaryPageHeader, Encoding, PageType};

    use super::*;

    /// A page of so many values and as many bytes, and what its header says of its bytes.
    fn page(kind: PageType, values: i32, packed: i32, unpacked: i32) -> Vec<u8> {
        let is_data = kind == PageType::DATA_PAGE;
        let header = PageHeader {
            type_: kind,
            uncompressed_page_size: unpacked,
            compressed_page_size: packed,
            crc: None,
            data_page_header: is_data.then_some(DataPageHeader {
                num_values: values,
                encoding: Encoding::PLAIN,
                definition_level_encoding: Encoding::RLE,
                repetition_level_encoding: Encoding::RLE,
                statistics: None,
            }),
            index_page_header: None,
            dictionary_page_header: (!is_data).then_some(DictionaryPageHeader {
                num_values: values,
                encoding: Encoding::PLAIN,
                is_sorted: None,
            }),
            data_page_header_v2: None,
        };
        let mut bytes = Vec::new();
        header.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut bytes)).expect("a header");
        bytes.extend([0].repeat(values.unsigned_abs() as usize % 100));
        bytes
    }

    #[test]
    fn pages_that_cannot_be_true_are_not_believed() {
        let (data, dictionary) = (PageType::DATA_PAGE, PageType::DICTIONARY_PAGE);
        let told = |pages: &[Vec<u8>], values: i64| {
            let file = pages.concat();
            believable(&file, &Chunk { begin: 0, end: file.len() as u64, values, unpacked: 200 })
        };
        assert_eq!(told(&[page(dictionary, 3, 3, 3), page(data, 7, 7, 9), page(data, 5, 5, 5)], 12), Ok(()));
        for (pages, wrong) in [
            (vec![page(data, -17, 17, 17)], "a page of -17 values, where 12 are left"),
            (vec![page(data, 7, 7, 9), page(data, 6, 6, 6)], "a page of 6 values, where 5 are left"),
            (vec![page(dictionary, i32::MAX, 0, 0)], "a page of 2147483647 values, where 12 are left"),
            (vec![page(data, 7, 8, 9)], "a page of 8 bytes"),
            (vec![page(data, 7, -1, 9)], "a page of -1 bytes"),
            (vec![page(data, 7, 7, i32::MAX)], "a page of 2147483647 bytes, of 200 in its column"),
            (vec![page(data, 7, 7, 9)], "the header of a page: "),
        ] {
            let error = told(&pages, 12).expect_err("damaged");
            assert!(error.starts_with(wrong), "{error}, not {wrong}");
        }
        let beyond = Chunk { begin: 4, end: 1 << 40, values: 1, unpacked: 1 };
        assert_eq!(
            believable(b"PAR1", &beyond),
            Err("its pages are said to be at bytes 4 to 1099511627776".to_owned())
        );
    }
}
