"""The same everyday sentences in Dutch and English: their difference is what a language does to an embedding.

Embeddings put both languages into one space, but not quite onto each other: a Dutch sentence lies a constant step away from
its English twin. `embedding` measures the step on these pairs and takes it out.
"""

PAIRS = (
    ("Waarom is mijn rekening deze maand hoger?", "Why is my bill higher this month?"),
    ("Hoe laat gaat de winkel morgen open?", "What time does the shop open tomorrow?"),
    ("Ik wil graag een afspraak maken voor vrijdag.", "I would like to make an appointment for Friday."),
    ("Kun je me vertellen waar mijn pakket is?", "Can you tell me where my parcel is?"),
    ("Mijn telefoon doet het niet meer.", "My phone does not work any more."),
    ("Zet de muziek wat zachter, alsjeblieft.", "Turn the music down a little, please."),
    ("Wat voor weer wordt het dit weekend?", "What will the weather be like this weekend?"),
    ("Herinner me eraan om mijn moeder te bellen.", "Remind me to call my mother."),
    ("Mijn broer heeft twee keer betaald.", "My brother paid twice."),
    ("Hoe kan ik mijn adres wijzigen?", "How can I change my address?"),
    ("Ik ben mijn wachtwoord vergeten.", "I have forgotten my password."),
    ("Welke films draaien er vanavond in de bioscoop?", "Which films are on at the cinema tonight?"),
    ("Zet de wekker op half zeven.", "Set the alarm for half past six."),
    ("Kan ik dit product terugsturen?", "Can I return this product?"),
    ("Er is iets mis met de verbinding in huis.", "Something is wrong with the connection at home."),
    ("Reserveer een tafel voor vier personen.", "Book a table for four people."),
    ("Hoe lang duurt de levering?", "How long does delivery take?"),
    ("Mijn vriendin gaat volgende week op reis.", "My girlfriend is going on a trip next week."),
    ("Verwijder alle afspraken van dinsdag.", "Delete all of Tuesday's appointments."),
    ("Is er korting voor studenten?", "Is there a discount for students?"),
    ("De kaart werd geweigerd bij de kassa.", "The card was declined at the till."),
    ("Wie kan mij helpen met mijn abonnement?", "Who can help me with my subscription?"),
    ("Voeg dit nummer toe aan mijn lijst.", "Add this song to my list."),
    ("Wanneer wordt het geld afgeschreven?", "When will the money be debited?"),
    ("Het duurt veel te lang voordat ik antwoord krijg.", "It takes far too long before I get an answer."),
    ("Laat de berichten van vandaag zien.", "Show today's messages."),
    ("Wat kost een nieuwe simkaart?", "What does a new SIM card cost?"),
    ("Ik wil mijn contract opzeggen.", "I want to cancel my contract."),
    ("Geef dit boek vijf van de vijf sterren.", "Give this book five out of five stars."),
    ("Moet ik morgen een paraplu meenemen?", "Do I need to take an umbrella tomorrow?"),
    ("Hoeveel dagen zijn er nog tot de vakantie?", "How many days are left until the holidays?"),
    ("Mijn oma begrijpt de brief niet.", "My grandmother does not understand the letter."),
    ("Speel iets vrolijks in de keuken.", "Play something cheerful in the kitchen."),
    ("Zijn er nog kaartjes voor het concert?", "Are there any tickets left for the concert?"),
    ("Ik kan niet inloggen op de app.", "I cannot log in to the app."),
    ("Wat is het verschil tussen deze twee?", "What is the difference between these two?"),
)

DUTCH = frozenset(
    """
    de het een en ik je jij hij zij we wij ze is zijn was ben bent heb heeft hebt niet geen mijn jouw uw haar hun dit dat
    die deze van voor met op aan naar bij uit om te er wat wie waar waarom wanneer hoe kan kun wil moet mag doet wordt
    worden als maar of ook nog al wel veel meer morgen vandaag vanavond zet laat geef hoeveel welke
    """.split()  # noqa: SIM905 — words read better as words
)
ENGLISH = frozenset(
    """
    the a an and i you he she we they is are was am have has had not no my your his her their this that these those of
    for with on to at from out there what who where why when how can could will want must may does do did get if but or
    also more much many tomorrow today tonight set show give which please
    """.split()  # noqa: SIM905
)
