"""Questions in Dutch and English about four topics of a library: what a classifier is taught, and what it is asked then."""

NAMES = {
    "opening": ["Openingstijden", "Opening hours"],
    "fines": ["Boetes en te laat inleveren", "Fines and late returns"],
    "membership": ["Lidmaatschap en pas", "Membership and library card"],
    "ebooks": ["E-books en luisterboeken", "E-books and audiobooks"],
}

TAUGHT = {
    "opening": (
        ("nl", "Hoe laat gaat de bibliotheek zaterdag open?"),
        ("nl", "Zijn jullie op tweede kerstdag gesloten?"),
        ("nl", "Tot hoe laat kan ik vanavond terecht in de leeszaal?"),
        ("nl", "Wanneer zijn jullie open in de zomervakantie?"),
        ("en", "What time does the library close on Sunday?"),
        ("en", "Are you open on public holidays?"),
        ("en", "Until what time can I use the reading room tonight?"),
        ("en", "When does the branch on Market Street open?"),
    ),
    "fines": (
        ("nl", "Ik heb een boek te laat ingeleverd, wat is de boete?"),
        ("nl", "Waarom moet mijn zoon vier euro boete betalen?"),
        ("nl", "Hoe betaal ik een openstaande boete?"),
        ("nl", "Ik was een week te laat met terugbrengen, kost dat geld?"),
        ("en", "How much is the fine for a book that is two weeks overdue?"),
        ("en", "My daughter got a fine although she returned the book in time"),
        ("en", "Can I pay a late fee with my bank card?"),
        ("en", "Will you waive the fine because I was ill?"),
    ),
    "membership": (
        ("nl", "Hoe word ik lid van de bibliotheek?"),
        ("nl", "Ik ben mijn bibliotheekpas kwijt, hoe vraag ik een nieuwe aan?"),
        ("nl", "Wat kost een abonnement voor een gezin?"),
        ("nl", "Hoe zeg ik mijn lidmaatschap op?"),
        ("en", "How do I become a member of the library?"),
        ("en", "I lost my library card, can I get a new one?"),
        ("en", "Is membership free for children?"),
        ("en", "How do I cancel my subscription?"),
    ),
    "ebooks": (
        ("nl", "Hoe leen ik een e-book op mijn tablet?"),
        ("nl", "Het luisterboek wil niet downloaden in de app"),
        ("nl", "Op hoeveel apparaten mag ik e-books lezen?"),
        ("nl", "Waarom kan ik dit e-book niet openen op mijn e-reader?"),
        ("en", "How do I borrow an e-book on my phone?"),
        ("en", "The audiobook stops playing after one chapter"),
        ("en", "Which e-readers work with your e-books?"),
        ("en", "My e-book download fails in the app"),
    ),
}

ASKED = (
    ("opening", "Is de bibliotheek maandag open?"),
    ("opening", "Mijn oma vraagt hoe laat jullie vrijdag sluiten"),
    ("opening", "At what time do you open tomorrow morning?"),
    ("opening", "Is the library closed at Easter?"),
    ("fines", "Mijn broer kreeg een boete omdat hij zijn boeken te laat terugbracht"),
    ("fines", "Hoe hoog is de boete als ik drie dagen te laat ben?"),
    ("fines", "Why do I have to pay a fine for this book?"),
    ("fines", "Where can my friend pay her overdue fines?"),
    ("membership", "Mijn buurvrouw wil lid worden, hoe doet ze dat?"),
    ("membership", "Kan ik een nieuwe pas krijgen, ik ben de mijne verloren"),
    ("membership", "What does a membership cost for students?"),
    ("membership", "My friend wants to cancel her membership"),
    ("ebooks", "Mijn vader kan zijn e-book niet downloaden"),
    ("ebooks", "Kan ik luisterboeken lenen op mijn telefoon?"),
    ("ebooks", "The e-book does not open on my tablet"),
    ("ebooks", "How many e-books can I borrow at once?"),
)

STRANGE = (
    "Mijn kat heeft vannacht weer op het tapijt gelegen",
    "Welke verf is het best voor een houten schuur?",
    "Hoeveel eieren gaan er in een pannenkoekenbeslag?",
    "Who won the football match in Madrid yesterday?",
    "My car makes a strange noise when I brake",
    "What is the boiling point of nitrogen?",
)
