//! The words of a shop's customer service: questions, knowledge-base extracts, answers.
//!
//! In a topic, `facts` are what an answer can get wrong: a slot with the values it may take. The
//! extract always states the right value, so a reviewer can check the answer against it.

/// One thing customers ask about.
#[derive(Clone, Copy)]
pub(super) struct Topic {
    /// Its group in the dimension `cohort`.
    pub cohort: &'static str,
    /// What the customer may have bought.
    pub products: &'static [&'static str],
    /// Business impact of answering.
    pub impact: f64,
    pub questions: &'static [&'static str],
    /// What the knowledge base says.
    pub extract: &'static str,
    /// The answer, sentence by sentence; the last one is essential.
    pub answer: &'static [&'static str],
    pub facts: &'static [(&'static str, &'static [&'static str])],
    /// What an answer must never promise.
    pub promise: &'static str,
}

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        cohort: "returns",
        products: PRODUCTS,
        impact: 2.0,
        questions: &[
            "[Hi|Hello], I'd like to [send back|return] the {product} from order {order}. [It is too small|It does not fit the room|I changed my mind]. How long do I have?",
            "Can I still return the {product}? I [opened|unpacked] it [last week|on Sunday] but [never used it|only tried it on].",
            "[How do returns work|What do I have to do to return something]? Order {order}, {product}. [I threw the box away.|The label is gone.]",
        ],
        extract: "Returns: unused goods within {days} days of delivery. Postage is {postage}. Refund to the original means of payment within {refund} working days of arrival.",
        answer: &[
            "[You can return|Returning] the {product} [within {days} days of delivery|is possible for {days} days after delivery][ as long as it is unused|, provided it is unused].",
            "[Postage for the return is {postage}.|The return label is {postage}.]",
            "[We refund|The refund goes] to the [card or account you paid with|original means of payment] within {refund} working days [after the parcel reaches us|once we have it back].",
            "[Please open|Just open] My Orders, choose {order} and [press|tap] \"Return\" to get your label.",
        ],
        facts: &[
            ("days", &["14", "30", "60"]),
            ("postage", &["free", "4.90 EUR", "paid by the customer"]),
            ("refund", &["5", "10", "14"]),
        ],
        promise: "I have already released your refund, so you can keep the {product} as well.",
    },
    Topic {
        cohort: "delivery",
        products: PRODUCTS,
        impact: 2.0,
        questions: &[
            "Where is my {product}? [The tracking has not moved|Nothing has changed in the tracking] [since Tuesday|for four days]. Order {order}, to {city}.",
            "[My parcel|Order {order}] [should have come|was due] [yesterday|on Monday] and [nobody rang|there is no card]. I was home all day!",
            "Can you deliver the {product} to {city} before [the weekend|Friday]? [It is a present.|We are going away.]",
            "The courier says delivered but [there is nothing here|I have no parcel]. {order}. [Please help!|What now?]",
        ],
        extract: "Delivery by {carrier} in {transit} working days. A trace can be opened {trace} working days after the due date; it takes up to {search} days. Not found: new delivery or refund, customer's choice.",
        answer: &[
            "Your {product} [is on its way|was handed over] with {carrier}; delivery to {city} [usually takes|takes] {transit} working days.",
            "[If it is not with you by then|Should it not arrive], we can open a trace {trace} working days after the due date.",
            "[The search takes|A trace takes] up to {search} days.",
            "[If the parcel is not found|If it stays lost], you choose between a new delivery and a refund.",
        ],
        facts: &[
            ("transit", &["1 to 2", "3 to 5", "6 to 8"]),
            ("trace", &["2", "5", "10"]),
            ("search", &["7", "14", "21"]),
        ],
        promise: "I guarantee that it will be at your door tomorrow before noon.",
    },
    Topic {
        cohort: "billing",
        products: PRODUCTS,
        impact: 4.0,
        questions: &[
            "[I was charged twice|There are two charges] for order {order} ({amount} EUR each). [Please explain.|What happened?]",
            "[Why is|How come] the invoice for the {product} [higher|more] than the price [on the page|I saw]? {amount} EUR [instead of 49|is not what I agreed to].",
            "Can I [pay the {product} in instalments|change from card to invoice] for order {order}?",
        ],
        extract: "A second card entry is usually a reservation; it expires after {hold} days without being booked. Instalments: from {minimum} EUR, {months} months, subject to a credit check. Invoices: correction on request within 12 months.",
        answer: &[
            "[The second entry|What you see] of {amount} EUR is [most likely a reservation|a reservation by your bank] and expires after {hold} days[ without being booked|].",
            "Instalments are possible from {minimum} EUR over {months} months, [after a credit check|subject to a credit check].",
            "[If the second entry is booked after all|Should both be booked], send us [a picture of the statement|the statement line] and we [sort it out|correct it].",
        ],
        facts: &[
            ("hold", &["3", "7", "10"]),
            ("minimum", &["50", "100", "200"]),
            ("months", &["3", "6", "12"]),
        ],
        promise: "I have waived the {amount} EUR and no credit check will be needed.",
    },
    Topic {
        cohort: "account",
        products: PRODUCTS,
        impact: 3.0,
        questions: &[
            "I [cannot log in|am locked out] [since the update|after changing my phone]. [The code never comes.|It says 'try later'.]",
            "Please [delete|close] my account and [everything you have about me|all my data]. [Order {order} was the last one.|I do not want mails any more.]",
            "[Somebody|I think somebody] ordered a {product} with my account! [I did not do that.|I live in {city}, the address is not mine.]",
        ],
        extract: "Lock after five wrong codes: {lock} minutes. A new phone is registered with the recovery code or by post ({post} days). Deletion: within {erase} days; invoices are kept as the law demands. Misuse: lock the account at once, then the fraud team.",
        answer: &[
            "[After five wrong codes|The account locks itself after five wrong codes and] [please wait|a wait of] {lock} minutes [before the next try|is needed].",
            "[A new phone can be registered|You can register a new phone] with your recovery code, or by letter, which takes {post} days.",
            "[If you want the account deleted|For a deletion], we do that within {erase} days; invoices stay as long as the law demands.",
            "[If an order is not yours|If anything was ordered without you], [tell us at once|reply with LOCK] so that we [lock the account|can lock it] and involve the fraud team.",
        ],
        facts: &[
            ("lock", &["15", "30", "60"]),
            ("post", &["3", "5", "10"]),
            ("erase", &["14", "30", "90"]),
        ],
        promise: "To speed things up, just send me your password and the code from your phone.",
    },
    Topic {
        cohort: "warranty",
        products: PRODUCTS,
        impact: 3.0,
        questions: &[
            "The {product} [stopped working|makes a strange noise|does not switch on] after {months_used} months. [What now?|Do I have to pay for the repair?]",
            "[The|A] [handle|screen|zip] of my {product} [broke off|is cracked]. [I did not drop it.|It was normal use.] Order {order}.",
            "Is there [still warranty|a guarantee] on the {product}? I [lost the receipt|have only the order number {order}].",
        ],
        extract: "Statutory warranty {years} years; in the first {presume} months we assume the fault was there from the start. Repair takes {repair} working days. The order number replaces the receipt. Drops and liquids are not covered.",
        answer: &[
            "[You have|There is] a warranty of {years} years on the {product}; [your order number is enough|the order number replaces the receipt].",
            "[In the first {presume} months|For the first {presume} months] we assume that the fault was there from the start[, so the repair costs you nothing|].",
            "[A repair takes|The workshop needs] about {repair} working days.",
            "[Please note that damage|Damage] by drops or liquids is not covered.",
        ],
        facts: &[
            ("years", &["1", "2", "3"]),
            ("presume", &["6", "12", "24"]),
            ("repair", &["5", "10", "15"]),
        ],
        promise: "We will replace the {product} with the next better model, whatever the reason.",
    },
    Topic {
        cohort: "product",
        products: SOFT_GOODS,
        impact: 1.0,
        questions: &[
            "[Does|Will] the {product} [fit into a washing machine|survive a wet weekend]? [It was not cheap.|My last one did not.]",
            "[What is|Can you tell me] the difference between the two versions of the {product}? [The page does not say.|They look the same.]",
            "[How do I|What is the best way to] clean the {product}? [There are stains.|I do not want to ruin it.]",
        ],
        extract: "{product}: weight {weight} kg, cover washable at {wash} degrees, no tumble dryer. The newer version differs by its {diff}. Spare parts for {spare} years.",
        answer: &[
            "The {product} weighs {weight} kg[ and stands on its own|].",
            "[You can wash the cover|The cover is washable] at {wash} degrees.",
            "[The newer version differs by|What is new is] its {diff}; [spare parts|parts] are available for {spare} years.",
            "[Please do not put it|Keep it out of] [in the tumble dryer|the tumble dryer].",
        ],
        facts: &[
            ("weight", &["1.2", "2.4", "3.8"]),
            ("wash", &["30", "40", "60"]),
            ("spare", &["2", "5", "10"]),
        ],
        promise: "It has been certified for medical use, so you need not worry.",
    },
];

pub(super) const NAMES: &[&str] = &[
    "Amara",
    "Beatriz",
    "Chiara",
    "Daniel",
    "Elif",
    "Finn",
    "Grace",
    "Hiroshi",
    "Ines",
    "Jonas",
    "Katarzyna",
    "Liam",
    "Mei",
    "Noor",
    "Oluwaseun",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tamás",
    "Uma",
    "Viktor",
    "Wanda",
    "Xin",
    "Yusuf",
    "Zoë",
    "محمد",
    "美咲",
];

const PRODUCTS: &[&str] = &[
    "desk lamp",
    "rain jacket",
    "coffee grinder",
    "standing desk",
    "trail shoes",
    "baby monitor",
    "bread knife",
    "down pillow",
    "bike helmet",
    "espresso machine",
    "reading chair",
    "tent",
    "headphones",
    "cast-iron pan",
    "running vest",
    "air purifier",
    "suitcase",
    "wool blanket",
    "camera strap",
    "water filter",
    "piano stool",
    "hiking poles",
    "bookshelf",
    "kettle",
];

const SOFT_GOODS: &[&str] = &[
    "rain jacket",
    "down pillow",
    "wool blanket",
    "running vest",
    "tent",
    "camera strap",
    "picnic rug",
    "linen curtain",
    "baby carrier",
    "dog bed",
    "yoga mat",
    "rucksack",
];

pub(super) const CITIES: &[&str] = &[
    "Aarhus",
    "Bologna",
    "Cork",
    "Dresden",
    "Eindhoven",
    "Faro",
    "Gdańsk",
    "Graz",
    "Kaunas",
    "Lille",
    "Málaga",
    "Maribor",
    "Norrköping",
    "Oulu",
    "Plzeň",
    "Szeged",
];

pub(super) const CARRIERS: &[&str] = &["ParcelNord", "Vélopost", "CityHopper", "BlueCourier"];

pub(super) const OPENERS: &[&str] = &[
    "Hi {name}, thanks for [writing|getting in touch].",
    "Hello {name}, [good question|thank you for your message].",
    "Dear {name}, [I am sorry for the trouble|thank you for your patience].",
    "Hi {name}!",
];

pub(super) const RUDE: &str =
    "{name}, this is all in the terms that you accepted; please read before you write.";

pub(super) const CLOSERS: &[&str] = &[
    "[Best regards|Kind regards], your service team",
    "Anything else? Just reply to this message.",
    "I hope this helps!",
    "[Have a good day|Enjoy the week]!",
];

pub(super) const CHANNELS: &[&str] = &["email", "chat", "chat", "app"];
