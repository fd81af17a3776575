"""The shop's goods: p-1 … p-500, for the house and the garden; both the ERP and the CMS speak of these."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from bff.demo.data.world import World

COUNT = 500

_MAKERS = (
    "Росток",
    "Усадьба",
    "Теремок",
    "Клевер",
    "Журавль",
    "Полянка",
    "Мастеровой",
    "Липа",
    "Зелёный двор",
    "Ладога",
)

# What it is, its two variants, the lowest and the highest price in roubles.
_KINDS: tuple[tuple[str, str, str, int, int], ...] = (
    ("Секатор садовый", "20 см", "22 см", 690, 2490),
    ("Лопата штыковая", "с черенком 120 см", "рельсовая сталь", 790, 2190),
    ("Грабли веерные", "22 зуба", "раздвижные", 490, 1290),
    ("Шланг поливочный", "20 м", "30 м", 1290, 3990),
    ("Лейка", "5 л", "10 л", 390, 990),
    ("Опрыскиватель ручной", "1,5 л", "5 л", 590, 2390),
    ("Тачка садовая", "85 л", "110 л", 3490, 7990),
    ("Теплица из поликарбоната", "3 × 4 м", "3 × 6 м", 18900, 42900),
    ("Парник с укрывным материалом", "4 м", "6 м", 1190, 2890),
    ("Агроткань от сорняков, пог. м", "ширина 1,6 м", "ширина 3,2 м", 90, 240),
    ("Грунт универсальный", "25 л", "50 л", 290, 690),
    ("Удобрение для роз", "1 кг", "3 кг", 240, 790),
    ("Семена газонной травы", "1 кг", "5 кг", 490, 2490),
    ("Горшок керамический", "Ø 18 см", "Ø 25 см", 590, 2290),
    ("Кашпо подвесное", "3 л", "5 л", 390, 1190),
    ("Фонарь садовый на солнечной батарее", "тёплый свет", "холодный свет", 290, 1490),
    ("Гирлянда уличная", "10 м", "20 м", 1190, 3490),
    ("Качели садовые", "двухместные", "трёхместные", 12900, 34900),
    ("Кресло складное", "с подлокотниками", "с подставкой для ног", 1490, 4990),
    ("Стол раскладной", "70 × 70 см", "120 × 60 см", 2490, 7490),
    ("Мангал складной", "сталь 2 мм", "сталь 3 мм", 1490, 5990),
    ("Решётка для гриля", "26 × 38 см", "30 × 45 см", 590, 1590),
    ("Казан чугунный", "6 л", "10 л", 3290, 6990),
    ("Плед флисовый", "130 × 170 см", "150 × 200 см", 690, 1990),
    ("Комплект постельного белья", "полутораспальный, сатин", "евро, сатин", 2490, 6990),
    ("Подушка с лебяжьим пухом", "50 × 70 см", "70 × 70 см", 990, 2490),
    ("Одеяло всесезонное", "140 × 205 см", "200 × 220 см", 1990, 5490),
    ("Полотенце махровое", "50 × 90 см", "70 × 140 см", 390, 1290),
    ("Шторы блэкаут", "200 × 260 см", "300 × 270 см", 2290, 6490),
    ("Ковёр безворсовый", "80 × 150 см", "160 × 230 см", 1990, 9990),
    ("Светильник настольный", "тканевый абажур", "стеклянный плафон", 1290, 4990),
    ("Ваза стеклянная", "20 см", "30 см", 590, 2490),
    ("Набор тарелок", "6 шт., фарфор", "12 шт., фарфор", 1490, 4990),
    ("Набор бокалов", "4 шт.", "6 шт.", 890, 2990),
    ("Сковорода с антипригарным покрытием", "24 см", "28 см", 1290, 3990),
    ("Кастрюля с крышкой", "3 л", "5 л", 1490, 4490),
    ("Нож кухонный", "поварской, 20 см", "сантоку, 17 см", 790, 3490),
    ("Доска разделочная", "бук", "бамбук", 490, 1790),
    ("Контейнер для хранения", "10 л", "30 л", 290, 990),
    ("Корзина плетёная", "25 × 18 см", "35 × 25 см", 590, 1890),
    ("Полка настенная", "60 см", "90 см", 990, 2990),
    ("Стеллаж металлический", "4 полки", "5 полок", 2490, 6490),
    ("Вешалка напольная", "бук", "металл", 1290, 3990),
    ("Зеркало настенное", "50 × 70 см", "60 × 120 см", 1990, 7990),
    ("Набор отвёрток", "12 предметов", "38 предметов", 690, 2490),
    ("Дрель-шуруповёрт аккумуляторная", "12 В", "18 В", 3990, 11900),
    ("Перчатки садовые", "размер M", "размер L", 120, 490),
    ("Сапоги резиновые", "размер 38", "размер 42", 990, 2490),
    # Left as a content manager would type them: they keep everyone's escaping honest.
    ('Набор "Лейка & совок"', "<детский>", "<взрослый>", 390, 890),
    ("Табличка «Осторожно, добрая собака!»", "металл", "дерево", 290, 790),
)


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the catalogue."""

    id: str
    name: str
    price: Decimal
    """In roubles, two digits."""
    by_the_metre: bool
    """Sold in halves of a metre; everything else is counted."""
    url: str
    image: str | None
    """Absolute, or from the root of the shop's site, or missing: as content managers leave them."""
    available: bool


def product_number(product: str) -> int | None:
    """Return 17 for ``p-17``, None for what the catalogue does not know."""
    prefix, _, digits = product.partition("-")
    if prefix != "p" or len(digits) > 3 or not (digits.isascii() and digits.isdigit()) or digits.startswith("0"):
        return None
    number = int(digits)
    return number if number <= COUNT else None


@lru_cache(maxsize=COUNT)
def product(world: World, number: int) -> Product:
    """Return the product of that number (1 … COUNT)."""
    dice = world.dice("product", number)
    kind, *variants, low, high = _KINDS[(number - 1) % len(_KINDS)]
    maker = _MAKERS[(number - 1) // len(_KINDS)]
    roubles = dice.randint(low, high) // 10 * 10
    chance = dice.random()
    picture = f"/media/goods/p-{number}.jpg"
    return Product(
        id=f"p-{number}",
        name=f"{kind} «{maker}», {dice.choice(variants)}",
        price=Decimal(roubles).quantize(Decimal("0.01")),
        by_the_metre="пог. м" in kind,
        url=f"https://shop.example/catalog/p-{number}",
        image=f"https://shop.example{picture}" if chance < 0.6 else picture if chance < 0.95 else None,
        available=dice.random() < 0.92,
    )
