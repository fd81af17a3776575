"""What the shop offers everyone: promotions and coupons that hold today."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from bff.demo.data.world import World

PromotionKind = Literal["promotion", "coupon"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """One offer; it holds from `starts` to `ends`, both days included, None being "until we say so"."""

    id: str
    kind: PromotionKind
    title: str
    text: str
    image: str | None
    url: str
    promo_code: str | None
    starts: date
    ends: date | None


# Title, text, promo code, days since the start, days to the end.
_OFFERS: tuple[tuple[str, str, str | None, int, int | None], ...] = (
    ("Скидка 20% на садовый инвентарь", "На секаторы, лопаты и грабли. Скидка уже в цене.", None, 12, 18),
    ("Третий плед в подарок", "Положите в корзину три пледа, и самый недорогой будет бесплатным.", None, 5, 9),
    ("500 ₽ за первый заказ", "Для заказов от 3 000 ₽. Введите промокод в корзине.", "PERVYI500", 90, None),
    ("Двойные бонусы в выходные", "За покупки в субботу и воскресенье бонусов вдвое больше.", None, 30, 60),
    ("10% на освещение", "На гирлянды, фонари и светильники по промокоду.", "SVET10", 3, 27),
    ("Бесплатная доставка от 5 000 ₽", "Курьером по городу, в удобный день.", None, 200, None),
    ("Распродажа: посуда до –40%", "Тарелки, бокалы, сковороды. Количество ограничено.", None, 1, 6),
    ("День рождения: скидка 15%", "Неделю до и неделю после дня рождения, на один заказ.", "PRAZDNIK15", 365, 365),
)


def promotions(world: World) -> list[Promotion]:
    """Return the offers of the day."""
    return [
        Promotion(
            id=f"promo-{number}",
            kind="promotion" if code is None else "coupon",
            title=title,
            text=text,
            image=None if number == 6 else f"https://shop.example/media/promo/{number}.jpg",
            url=f"https://shop.example/promo/{number}",
            promo_code=code,
            starts=world.today - timedelta(days=since),
            ends=None if left is None else world.today + timedelta(days=left),
        )
        for number, (title, text, code, since, left) in enumerate(_OFFERS, start=1)
    ]
