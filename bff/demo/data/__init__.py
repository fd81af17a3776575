"""The invented shop: people, goods, orders, bonuses, favorites, promotions.

Nothing is stored. Every record is a pure function of a `World` (a seed and a day) and the customer's number, so that an
office starts at once and three processes agree with each other without talking.
"""
