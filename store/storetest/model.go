package storetest

var modelTests []contract
