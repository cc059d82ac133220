//! Decides which names jinja2 knows, so that what it knows and is not done here is told from what it refuses too.

/// The name, if it is in a list.
pub fn known(names: &'static str, name: &str) -> Option<&'static str> {
    names.split(' ').find(|known| *known == name)
}

/// Filters of jinja2.
pub const FILTERS: &str = "\
    abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape \
    format groupby indent int items join last length list lower map max min pprint random reject rejectattr \
    replace reverse round safe select selectattr slice sort string striptags sum title tojson trim truncate unique \
    upper urlencode urlize wordcount wordwrap xmlattr";

/// Tests of jinja2.
pub const TESTS: &str = "\
    boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in integer \
    iterable le lessthan lower lt mapping ne none number odd sameas sequence string test true undefined upper == \
    != > >= < <=";

/// Functions that every template has.
pub const FUNCTIONS: &str = "range dict lipsum cycler joiner namespace raise_exception strftime_now";

/// Variables that jinja2 sets itself, or transformers for tokenizers, and that a GGUF file does not tell.
pub const UNKNOWN_VARIABLES: &str = "self super additional_special_tokens sep_token cls_token mask_token";

/// Attributes of `str`.
pub const TEXT_METHODS: &str = "\
    capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha \
    isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower \
    lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split \
    splitlines startswith strip swapcase title translate upper zfill";

/// Attributes of `list`, of which those that change it are forbidden.
pub const LIST_METHODS: &str = "append clear copy count extend index insert pop remove reverse sort";

/// Attributes of `dict`.
pub const DICT_METHODS: &str = "clear copy fromkeys get items keys pop popitem setdefault update values";

/// Attributes of `tuple`.
pub const TUPLE_METHODS: &str = "count index";

/// Those that change what they are called on.
pub const CHANGING: &str = "append clear extend insert pop popitem remove reverse setdefault sort update";

/// Attributes of other types, whose values are numbers or methods that no chat template asks for.
pub const NUMBER_ATTRIBUTES: &str = "\
    as_integer_ratio bit_count bit_length conjugate count denominator from_bytes fromhex hex imag is_integer \
    numerator real to_bytes";
